// SPDX-License-Identifier: ISC
// events.js - what happens in the inbox, as it happens: over a WebSocket, or as server-sent events
// where something between us and the server does not let one through.
//
// A WebSocket first, because a browser opens only six event streams to one server, and people have
// many tabs. Whoever listens loads anew on "open": what happened in between is not told again.

import { address } from "./api.js";

const WAIT_FIRST_MS = 500;
const WAIT_MOST_MS = 30000;
// So many that never opened make it try the other way.
const FAILURES_OF_A_WAY = 2;

export class Events extends EventTarget {
	#connection = null;
	#wait = WAIT_FIRST_MS;
	#timer = null;
	#failures = 0;
	#way = "socket";
	state = "connecting";

	start() {
		addEventListener("online", () => this.retry());
		addEventListener("pagehide", () => this.#close());
		addEventListener("pageshow", (event) => event.persisted && this.retry());
		document.addEventListener("visibilitychange", () => document.hidden || this.retry());
		this.#connect();
	}

	// Now, not when the pause is over.
	retry() {
		if (this.state === "live" || this.#connection !== null)
			return;
		this.#wait = WAIT_FIRST_MS;
		this.#connect();
	}

	#connect() {
		clearTimeout(this.#timer);
		this.#enter("connecting");
		try {
			this.#connection = this.#way === "socket" ? this.#socket() : this.#stream();
		} catch {
			this.#lost(false);
		}
	}

	#socket() {
		const socket = new WebSocket(address("api/events").replace(/^http/, "ws"));
		let opened = false;
		socket.onopen = () => {
			opened = true;
			this.#opened();
		};
		socket.onmessage = (event) => this.#heard(event.data);
		socket.onclose = () => socket === this.#connection && this.#lost(opened);
		return socket;
	}

	#stream() {
		const stream = new EventSource(address("api/events"));
		let opened = false;
		stream.onopen = () => {
			opened = true;
			this.#opened();
		};
		stream.onmessage = (event) => this.#heard(event.data);
		// It would come back by itself, but not with a growing pause.
		stream.onerror = () => {
			stream.close();
			if (stream === this.#connection)
				this.#lost(opened);
		};
		return stream;
	}

	#opened() {
		this.#wait = WAIT_FIRST_MS;
		this.#failures = 0;
		this.#enter("live");
	}

	#lost(opened) {
		this.#connection = null;
		if (!opened && ++this.#failures >= FAILURES_OF_A_WAY) {
			this.#failures = 0;
			this.#way = this.#way === "socket" ? "stream" : "socket";
		}
		this.#enter("lost");
		// Not all pages at the same moment when the server is back.
		this.#timer = setTimeout(() => this.#connect(), this.#wait * (0.75 + Math.random() / 2));
		this.#wait = Math.min(this.#wait * 2, WAIT_MOST_MS);
	}

	#close() {
		const connection = this.#connection;
		this.#connection = null;
		clearTimeout(this.#timer);
		connection?.close();
		this.state = "lost";
	}

	#enter(state) {
		this.state = state;
		this.dispatchEvent(new CustomEvent("state", { detail: state }));
	}

	#heard(text) {
		let event;
		try {
			event = JSON.parse(text);
		} catch {
			return;
		}
		if (typeof event?.Type === "string")
			this.dispatchEvent(new CustomEvent(`mail-${event.Type}`, { detail: event.Data }));
	}
}
