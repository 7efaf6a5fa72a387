// SPDX-License-Identifier: ISC
// search.js - the search box: asks while one types, and knows the words of the language.

import { button, byId, h, icon } from "./dom.js";

const PAUSE_MS = 250;

// Prefix: what it finds
const WORDS = [
	["from:", "sender", "from:alice"],
	["to:", "recipient", "to:bob@example.com"],
	["subject:", "words of the subject", "subject:\"order 17\""],
	["tag:", "a tag", "tag:news"],
	["is:unread", "not opened yet", ""],
	["is:read", "opened", ""],
	["is:tagged", "with any tag", ""],
	["has:attachment", "with a file", ""],
	["has:inline", "with pictures inside", ""],
	["addressed:", "sender or recipient", "addressed:example.com"],
	["cc:", "copied to", "cc:carol"],
	["bcc:", "blind copied to", "bcc:dave"],
	["reply-to:", "answers go to", "reply-to:support"],
	["message-id:", "Message-ID", "message-id:abc@host"],
	["after:", "received since", "after:2026-11-01"],
	["before:", "received until", "before:yesterday"],
	["larger:", "at least this large", "larger:1M"],
	["smaller:", "at most this large", "smaller:20K"],
	["-", "not: before any word", "-from:alice"],
];
const SHOWN_MOST = 9;

export class Search {
	#box = byId("search");
	#input = h("input", {
		"type": "search", "id": "query", "placeholder": "Search mail", "autocomplete": "off",
		"autocapitalize": "off", "spellcheck": "false", "enterkeyhint": "search",
		"aria-label": "Search mail", "aria-keyshortcuts": "/", "role": "combobox",
		"aria-expanded": "false", "aria-controls": "words", "aria-autocomplete": "list",
	});
	#words = h("div", { class: "words", id: "words", role: "listbox", "aria-label": "Search words", hidden: true });
	#clear = button({ label: "Clear the search", name: "cross", key: "Escape", class: "quiet search-clear", hidden: true,
		onclick: () => this.#set("") });
	#timer = null;
	#chosen = -1;
	#hooks;

	// hooks: search(query), tags(), leave()
	constructor(hooks) {
		this.#hooks = hooks;
		this.#box.append(icon("search"), this.#input, h("kbd", { class: "search-key", "aria-hidden": "true" }, "/"),
			this.#clear, this.#words);
		this.#input.addEventListener("input", () => this.#typed());
		this.#input.addEventListener("focus", () => this.#offer());
		this.#input.addEventListener("click", () => this.#offer());
		this.#input.addEventListener("blur", () => this.#hide());
		this.#input.addEventListener("keydown", (event) => this.#pressed(event));
	}

	focus() {
		this.#input.focus();
		this.#input.select();
	}

	get value() {
		return this.#input.value.trim();
	}

	show(query) {
		if (this.value !== query)
			this.#input.value = query;
		this.#clear.hidden = this.#input.value === "";
		this.#box.classList.toggle("filled", this.#input.value !== "");
	}

	#set(query) {
		this.#input.value = query;
		this.#input.focus();
		this.#ask();
		this.#offer();
	}

	#typed() {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#ask(), PAUSE_MS);
		this.show(this.value);
		this.#offer();
	}

	#ask() {
		clearTimeout(this.#timer);
		this.#timer = null;
		this.show(this.value);
		this.#hooks.search(this.value);
	}

	// The word at the end of the line, as far as it is written.
	#begun() {
		return /(?:^|\s)([-!]?)([^\s"]*)$/.exec(this.#input.value);
	}

	#offers() {
		const [, not, begun] = this.#begun() ?? [null, "", null];
		if (begun === null)
			return [];
		const tag = /^tag:(.*)$/i.exec(begun);
		if (tag)
			return this.#hooks.tags().filter((name) => name.toLowerCase().startsWith(tag[1].toLowerCase()))
				.map((name) => [`${not}tag:${/\s/.test(name) ? `"${name}"` : name}`, "tag", "", true]);
		return WORDS.filter(([word]) => word.startsWith(begun.toLowerCase()) && word !== begun.toLowerCase())
			.map(([word, ...rest]) => [not + word, ...rest, !word.endsWith(":") && word !== "-"]);
	}

	#offer() {
		this.#chosen = -1;
		const offers = this.#offers().slice(0, SHOWN_MOST);
		this.#words.replaceChildren(...offers.map(([word, says, example, whole], i) =>
			h("div", { class: "word", role: "option", id: `word-${i}`, "aria-selected": "false",
				onmousedown: (event) => {
					event.preventDefault();
					this.#take(word, whole);
				} },
			h("b", {}, word), h("span", {}, says), example && h("code", {}, example))));
		this.#words.hidden = offers.length === 0;
		this.#input.setAttribute("aria-expanded", String(offers.length > 0));
		this.#input.removeAttribute("aria-activedescendant");
	}

	#hide() {
		this.#words.hidden = true;
		this.#input.setAttribute("aria-expanded", "false");
	}

	#take(word, whole) {
		const [all, , begun] = this.#begun();
		const not = all.trimStart().length - begun.length;
		const kept = this.#input.value.slice(0, this.#input.value.length - begun.length - not);
		this.#input.value = kept + word + (whole ? " " : "");
		this.#typed();
	}

	#choose(by) {
		const words = [...this.#words.children];
		if (this.#words.hidden || words.length === 0)
			return false;
		// -1 is the line itself.
		this.#chosen = (this.#chosen + 1 + by + words.length + 1) % (words.length + 1) - 1;
		words.forEach((word, i) => word.setAttribute("aria-selected", String(i === this.#chosen)));
		if (this.#chosen >= 0)
			this.#input.setAttribute("aria-activedescendant", `word-${this.#chosen}`);
		else
			this.#input.removeAttribute("aria-activedescendant");
		return true;
	}

	#pressed(event) {
		if (event.isComposing)
			return;
		if (event.key === "ArrowDown" || event.key === "ArrowUp") {
			if (this.#choose(event.key === "ArrowDown" ? 1 : -1))
				event.preventDefault();
		} else if (event.key === "Enter" || (event.key === "Tab" && this.#chosen >= 0)) {
			event.preventDefault();
			const offers = this.#offers();
			if (this.#chosen >= 0) {
				this.#take(offers[this.#chosen][0], offers[this.#chosen][3]);
			} else {
				this.#ask();
				this.#hooks.leave();
			}
		} else if (event.key === "Escape") {
			event.preventDefault();
			event.stopPropagation();
			this.#escaped();
		}
	}

	// First the offers go, then what is written, then the box is left.
	#escaped() {
		if (!this.#words.hidden && this.#input.value !== "") {
			this.#hide();
		} else if (this.#input.value !== "") {
			this.#set("");
			this.#hide();
		} else {
			this.#hooks.leave();
		}
	}
}
