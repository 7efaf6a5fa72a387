// SPDX-License-Identifier: ISC
// side.js - the column at the side: the inboxes, what is quickly found, the tags, what failed.

import { byId, h, icon } from "./dom.js";
import { tagColor } from "./row.js";
import { number, visible } from "./text.js";

// The page of another inbox, from the page of this one.
function inboxAddress(name) {
	const here = currentInbox();
	const up = location.pathname.match(/\/inbox\/[^/]+\/$/) ? "../../" : "./";
	if (name === here)
		return "./";
	return name === "default" ? up : `${up}inbox/${encodeURIComponent(name)}/`;
}

export function currentInbox() {
	const match = /\/inbox\/([^/]+)\/$/.exec(location.pathname);
	try {
		return match ? decodeURIComponent(match[1]) : "default";
	} catch {
		return "default";
	}
}

// A word of the search language that finds just this tag.
export function tagQuery(tag) {
	return `tag:${/[\s"]/.test(tag) ? `"${tag.replaceAll("\"", "")}"` : tag}`;
}

export class Side {
	#element = byId("side");
	#hooks;
	#open = false;

	// hooks: search(query), sessions(), howToSend()
	constructor(hooks) {
		this.#hooks = hooks;
		byId("menu").addEventListener("click", () => this.toggle(!this.#open));
		document.addEventListener("click", (event) => {
			if (this.#open && !event.target.closest("#side, #menu"))
				this.toggle(false);
		});
	}

	get isOpen() {
		return this.#open;
	}

	// As a drawer, where there is no room for a column.
	toggle(open) {
		this.#open = open;
		document.documentElement.toggleAttribute("data-side", open);
		byId("menu").setAttribute("aria-expanded", String(open));
		if (open)
			this.#element.querySelector("a, button")?.focus();
	}

	show({ inboxes, tags, query, all, unread, failed }) {
		const key = JSON.stringify([inboxes, tags, query, all, unread, failed]);
		if (key === this.#element.shown)
			return;
		this.#element.shown = key;
		const focused = document.activeElement?.closest?.("#side [data-key]")?.dataset.key;
		this.#element.replaceChildren(
			...this.#inboxes(inboxes),
			h("div", { class: "side-group" },
				this.#entry({ name: "inbox", text: "All mail", query: "", active: query, amount: all }),
				this.#entry({ name: "unread", text: "Unread", query: "is:unread", active: query, amount: unread,
					strong: true }),
				this.#entry({ name: "clip", text: "With files", query: "has:attachment", active: query })),
			...this.#tags(tags, query),
			h("div", { class: "side-group side-last" },
				this.#command("howToSend", "send", "How to send"),
				this.#command("sessions", "warning", "Failed sessions",
					failed > 0 && h("span", { class: "side-count warn" }, number(failed)))));
		if (focused)
			this.#element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
	}

	#command(hook, name, text, ...more) {
		return h("button", { "type": "button", "class": "side-entry", "data-key": hook, onclick: () => {
			this.toggle(false);
			this.#hooks[hook]();
		} }, icon(name), h("span", {}, text), ...more);
	}

	#entry({ name, text, query, active, amount = 0, strong = false, color = null }) {
		return h("button", {
			"type": "button", "class": "side-entry", "data-key": `q:${query}`, "data-color": color,
			"aria-current": query === active ? "true" : null,
			onclick: () => {
				this.toggle(false);
				this.#hooks.search(query);
			},
		}, name ? icon(name) : h("span", { class: "side-dot", "aria-hidden": "true" }), h("span", {}, text),
		amount > 0 && h("span", { class: strong ? "side-count strong" : "side-count" }, number(amount)));
	}

	#inboxes(inboxes) {
		if (inboxes.length < 2)
			return [];
		const here = currentInbox();
		return [
			h("h2", { class: "side-title" }, "Inboxes"),
			h("div", { class: "side-group" }, inboxes.map(({ Name, Unread }) =>
				h("a", { "class": "side-entry", "href": inboxAddress(Name), "data-key": `i:${Name}`,
					"aria-current": Name === here ? "page" : null },
				icon("inbox"), h("span", {}, visible(Name)),
				Unread > 0 && h("span", { class: "side-count strong" }, number(Unread))))),
		];
	}

	#tags(tags, query) {
		const names = Object.keys(tags).sort((a, b) => a.localeCompare(b));
		if (names.length === 0)
			return [];
		return [
			h("h2", { class: "side-title" }, "Tags"),
			h("div", { class: "side-group" }, names.map((tag) =>
				this.#entry({ text: visible(tag), query: tagQuery(tag), active: query, amount: tags[tag],
					color: tagColor(tag) }))),
		];
	}
}
