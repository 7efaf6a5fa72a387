// SPDX-License-Identifier: ISC
// notify.js - new mail on the desktop while the page is out of sight. The browser is asked for leave
// only when the bell is pressed.

import { byId, setIcon } from "./dom.js";
import { say, speak } from "./say.js";
import { remember, remembered } from "./settings.js";
import { count, personName, visible } from "./text.js";

// A burst of mail is one notification.
const GATHER_MS = 400;
const SPEAK_PAUSE_MS = 1500;

export class Notifier {
	#waiting = [];
	#timer = null;
	#open;

	constructor(open) {
		this.#open = open;
		byId("bell").addEventListener("click", () => this.#toggle());
		this.#show();
	}

	get #wanted() {
		return "Notification" in window && Notification.permission === "granted" && remembered("notify") === "yes";
	}

	#show() {
		const bell = byId("bell"), wanted = this.#wanted;
		bell.hidden = !("Notification" in window);
		setIcon(bell, wanted ? "bell" : "bell-off");
		bell.setAttribute("aria-pressed", String(wanted));
		bell.title = wanted ? "Desktop notifications are on" : "Notify of new mail";
	}

	async #toggle() {
		if (this.#wanted) {
			remember("notify", null);
			say("No more notifications");
		} else if (await Notification.requestPermission() === "granted") {
			remember("notify", "yes");
			say("New mail is shown while this page is out of sight");
		} else {
			say("This browser does not allow notifications here");
		}
		this.#show();
	}

	arrived(summary) {
		this.#waiting.push(summary);
		this.#timer ??= setTimeout(() => this.#tell(), document.hidden ? GATHER_MS : SPEAK_PAUSE_MS);
	}

	#tell() {
		const mails = this.#waiting, last = mails[mails.length - 1];
		this.#waiting = [];
		this.#timer = null;
		const title = mails.length === 1 ? personName(last.From) || "New mail" : count(mails.length, "new message");
		const subject = visible(last.Subject) || "No subject";
		speak(mails.length === 1 ? `New message: ${subject}` : title);
		if (document.hidden && this.#wanted)
			this.#notify(title, subject, last.ID);
	}

	#notify(title, body, id) {
		try {
			const notification = new Notification(title, { body, tag: "penstock", icon: "page/icon.svg" });
			notification.onclick = () => {
				window.focus();
				notification.close();
				this.#open(id);
			};
		} catch {
			// Phones show them for service workers only.
		}
	}
}
