// SPDX-License-Identifier: ISC
// messages.js - the messages of the list: those that were looked at, never all of them.
//
// A message is kept by its position counted from the oldest one, which new mail does not change.
// Places in the list count from the newest. What cannot be told from an event (was it found by the
// search? which place had what is gone?) is loaded again, after a pause in which more may happen.

import { api } from "./api.js";

const PAGE = 100;           // a request
const KEPT_MOST = 4000;     // summaries in memory
const PAUSE_MS = 300;       // between an event and the reload that it makes necessary

export class Messages extends EventTarget {
	query = "";
	total = 0;          // of the list
	unread = 0;         // of the whole inbox
	all = 0;            // of the whole inbox
	loaded = false;     // the first answer for this query is here
	#rows = new Map();      // position -> summary
	#positions = new Map(); // ID -> position
	#gone = new Set();      // IDs
	#asked = new Map();     // start -> promise
	#generation = 0;
	#abort = new AbortController();
	#timer = null;
	#lastReload = 0;
	#window = [0, PAGE];

	at(index) {
		return this.#rows.get(this.total - 1 - index);
	}

	// -1: not in this list, or not yet looked at.
	indexOf(id) {
		const position = this.#positions.get(id);
		return position === undefined ? -1 : this.total - 1 - position;
	}

	summary(id) {
		return this.#rows.get(this.#positions.get(id));
	}

	// Another list. Resolves when its beginning is here; until then the other one stays to be seen.
	async open(query) {
		this.query = query;
		this.loaded = false;
		this.#window = [0, PAGE];
		await this.reload();
	}

	// The part that is looked at, and a little around it.
	look(first, last) {
		this.#window = [first, last];
		if (!this.loaded)
			return;
		for (let start = Math.floor(first / PAGE) * PAGE; start <= last && start < this.total; start += PAGE)
			if (this.#lacks(start))
				this.#fetch(start).catch(() => {});
	}

	// The summary at a place, which may have to be fetched.
	async get(index) {
		if (index < 0 || index >= this.total)
			return undefined;
		if (this.at(index) === undefined)
			await this.#fetch(Math.floor(index / PAGE) * PAGE);
		return this.at(index);
	}

	// What is looked at, again; the old stays until the new is here.
	async reload() {
		clearTimeout(this.#timer);
		this.#timer = null;
		this.#lastReload = performance.now();
		this.#generation++;
		this.#abort.abort();
		this.#abort = new AbortController();
		this.#asked.clear();
		const start = Math.max(0, Math.floor(this.#window[0] / PAGE) * PAGE);
		await this.#fetch(start, true);
		this.look(...this.#window);
	}

	reloadSoon() {
		const since = performance.now() - this.#lastReload;
		this.#timer ??= setTimeout(() => this.reload().catch(() => {}), Math.max(PAUSE_MS, PAUSE_MS * 3 - since));
	}

	#lacks(start) {
		for (let index = start; index < Math.min(start + PAGE, this.total); index++)
			if (this.at(index) === undefined)
				return true;
		return false;
	}

	#fetch(start, afresh = false) {
		if (!this.#asked.has(start)) {
			const asked = this.#fetchPage(start, afresh);
			this.#asked.set(start, asked);
			asked.finally(() => {
				if (this.#asked.get(start) === asked)
					this.#asked.delete(start);
			}).catch(() => {});
		}
		return this.#asked.get(start);
	}

	async #fetchPage(start, afresh) {
		const generation = this.#generation;
		const page = await api.messages(this.query, start, PAGE, this.#abort.signal);
		if (generation !== this.#generation)
			return;
		if (afresh)
			this.#forget();
		const total = page.messages_count ?? page.total;
		if (!afresh && total !== this.total)
			this.reloadSoon();
		this.total = total;
		this.all = page.total;
		this.unread = page.unread;
		page.messages.forEach((summary, i) => this.#put(total - 1 - (start + i), summary));
		this.loaded = true;
		this.#trim();
		this.#changed();
	}

	#put(position, summary) {
		const before = this.#positions.get(summary.ID);
		if (before !== undefined && before !== position)
			this.#rows.delete(before);
		this.#rows.set(position, summary);
		this.#positions.set(summary.ID, position);
	}

	#forget() {
		this.#rows.clear();
		this.#positions.clear();
	}

	// Far from where the reader is nothing is kept.
	#trim() {
		if (this.#rows.size <= KEPT_MOST)
			return;
		const middle = this.total - 1 - (this.#window[0] + this.#window[1]) / 2;
		for (const [position, summary] of this.#rows) {
			if (Math.abs(position - middle) > KEPT_MOST / 4) {
				this.#rows.delete(position);
				this.#positions.delete(summary.ID);
			}
		}
	}

	#changed() {
		this.dispatchEvent(new Event("change"));
	}

	// Events of the server. --------------------------------------------------------------------

	// True: it stands on top of the list now, and all below it moved by one.
	arrived(summary) {
		this.all++;
		if (!summary.Read)
			this.unread++;
		if (this.query || !this.loaded) {
			this.reloadSoon();
			return false;
		}
		if (this.#positions.has(summary.ID))
			return false;
		this.#put(this.total++, summary);
		this.#trim();
		this.#changed();
		return true;
	}

	updated({ ID, ...changes }) {
		const position = this.#positions.get(ID), summary = this.#rows.get(position);
		if (summary !== undefined) {
			if ("Read" in changes && changes.Read !== summary.Read)
				this.unread = Math.max(0, this.unread + (changes.Read ? -1 : 1));
			this.#rows.set(position, { ...summary, ...changes });
			this.#changed();
		}
		// is:unread, tag:...: it may belong to the list no more, or now.
		if (this.query)
			this.reloadSoon();
	}

	// The page takes out what it deleted before the server says so, and hears of it again then.
	removed(ids) {
		ids = ids.filter((id) => !this.#gone.has(id));
		if (ids.length === 0)
			return;
		if (this.#gone.size > KEPT_MOST)
			this.#gone.clear();
		const places = ids.map((id) => this.#positions.get(id));
		for (const [i, position] of places.entries()) {
			this.#gone.add(ids[i]);
			if (position === undefined)
				continue;
			if (!this.#rows.get(position).Read)
				this.unread = Math.max(0, this.unread - 1);
			this.#rows.delete(position);
			this.#positions.delete(ids[i]);
		}
		if (places.includes(undefined))
			this.reloadSoon();
		this.#closeGaps(places.filter((position) => position !== undefined));
		this.#changed();
	}

	#closeGaps(gone) {
		if (gone.length === 0)
			return;
		gone.sort((a, b) => a - b);
		const rows = [...this.#rows].sort((a, b) => a[0] - b[0]);
		this.#forget();
		let below = 0;
		for (const [position, summary] of rows) {
			while (below < gone.length && gone[below] < position)
				below++;
			this.#put(position - below, summary);
		}
		this.total = Math.max(0, this.total - gone.length);
		this.all = Math.max(0, this.all - gone.length);
	}

	emptied() {
		this.#generation++;
		this.#forget();
		this.total = this.all = this.unread = 0;
		this.loaded = true;
		this.#changed();
	}

	counted({ Total, Unread }) {
		this.unread = Unread;
		this.all = Total;
		if (!this.query && this.loaded && Total !== this.total)
			this.reloadSoon();
		this.#changed();
	}
}
