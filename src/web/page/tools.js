// SPDX-License-Identifier: ISC
// tools.js - the line above the list: what is shown, and what can be done with it, or with what is
// picked.

import { button, byId, h } from "./dom.js";
import { count } from "./text.js";

export class Tools {
	#element = byId("tools");
	#key = "";
	#actions;

	constructor(actions) {
		this.#actions = actions;
	}

	show(state) {
		const key = JSON.stringify(state);
		if (key === this.#key)
			return;
		this.#key = key;
		const focused = document.activeElement?.closest?.("#tools [data-do]")?.dataset.do;
		this.#element.classList.toggle("picking", state.picked > 0);
		this.#element.replaceChildren(...state.picked > 0 ? this.#picked(state) : this.#all(state));
		if (focused)
			(this.#element.querySelector(`[data-do="${focused}"]`) ?? byId("list")).focus();
	}

	#tool(what, name, label, key) {
		return button({ "name": name, "label": label, "key": key, "data-do": what, "onclick": () => this.#actions[what]() });
	}

	#all({ total, unread, query, mayRemoveAll }) {
		const found = query ? `${count(total, "message")} found` : count(total, "message");
		return [
			h("p", { class: "tools-count" }, found,
				!query && unread > 0 && h("span", {}, `, ${count(unread, "unread", "unread")}`)),
			this.#tool("reload", "refresh", "Refresh", "r"),
			total > 0 && this.#tool("pickAll", "check-box", "Pick messages", "*"),
			unread > 0 && total > 0 && this.#tool("readAll", "check-all",
				query ? "Mark all found as read" : "Mark all as read", "A"),
			total > 0 && mayRemoveAll && this.#tool("removeAll", "trash", query ? "Delete all found" : "Delete all"),
		].filter(Boolean);
	}

	#picked({ picked }) {
		return [
			this.#tool("pickNone", "cross", "Pick none", "Escape"),
			h("p", { class: "tools-count" }, `${count(picked, "message")} picked`),
			this.#tool("markRead", "read", "Mark as read", "U"),
			this.#tool("markUnread", "unread", "Mark as unread", "u"),
			this.#tool("tag", "tag", "Tags", "t"),
			this.#tool("remove", "trash", "Delete", "#"),
		];
	}
}
