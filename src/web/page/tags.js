// SPDX-License-Identifier: ISC
// tags.js - the tags of a message, or of those that are picked: taken off with a cross, written in
// beside.

import { button, h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { tagPill } from "./row.js";
import { count, visible } from "./text.js";

let editors = 0;

// The server takes letters, digits, space, - _ and . up to this length.
const LONGEST = 100;

export class TagEditor {
	#tags;
	#known;
	#changed;
	#number = ++editors;
	element = h("div", { class: "tags", role: "group", "aria-label": "Tags" });

	// known: names that are offered; changed(tags)
	constructor(tags, known, changed) {
		this.#tags = [...tags];
		this.#known = known;
		this.#changed = changed;
		this.#draw();
	}

	show(tags) {
		if (JSON.stringify(tags) === JSON.stringify(this.#tags))
			return;
		this.#tags = [...tags];
		if (!this.element.contains(document.activeElement))
			this.#draw();
	}

	edit() {
		this.#draw(true);
	}

	#set(tags, writing) {
		this.#tags = tags;
		this.#draw(writing);
		this.#changed(tags);
	}

	#draw(writing = false) {
		this.element.replaceChildren(
			...this.#tags.map((tag) => tagPill(tag, button({
				label: `Take off the tag ${visible(tag)}`, name: "cross", class: "quiet tag-off",
				onclick: () => this.#set(this.#tags.filter((other) => other !== tag)),
			}))),
			...writing ? this.#line() : [h("button", { "type": "button", "class": "tag-add",
				"aria-keyshortcuts": "t", onclick: () => this.edit() }, "+ tag")]);
		if (writing)
			this.element.querySelector("input").focus();
	}

	#line() {
		const listId = `known-tags-${this.#number}`;
		const input = h("input", { "class": "tag-input", "list": listId, "maxlength": LONGEST,
			"aria-label": "New tag", "placeholder": "New tag", "autocomplete": "off", "enterkeyhint": "done" });
		input.addEventListener("keydown", (event) => {
			if (event.isComposing)
				return;
			if (event.key === "Enter" || event.key === ",") {
				event.preventDefault();
				this.#add(input.value, true);
			} else if (event.key === "Escape") {
				event.preventDefault();
				event.stopPropagation();
				this.#draw();
				this.element.querySelector(".tag-add").focus();
			} else if (event.key === "Backspace" && input.value === "" && this.#tags.length > 0) {
				this.#set(this.#tags.slice(0, -1), true);
			}
		});
		input.addEventListener("blur", () => input.isConnected && setTimeout(() =>
			input.isConnected && document.activeElement !== input && this.#add(input.value, false), 0));
		return [input, h("datalist", { id: listId }, this.#known.filter((tag) => !this.#tags.includes(tag))
			.map((tag) => h("option", { value: tag })))];
	}

	#add(text, writing) {
		const tag = text.trim();
		if (tag && !this.#tags.some((other) => other.toLowerCase() === tag.toLowerCase()))
			this.#set([...this.#tags, tag], writing);
		else
			this.#draw(writing);
	}
}

// For several messages: what is added or taken off is, of each of them. Calls apply(added, gone).
export function editTags(summaries, known, apply) {
	const before = [...new Set(summaries.flatMap((summary) => summary.Tags ?? []))];
	let after = before;
	const editor = new TagEditor(before, known, (tags) => {
		after = tags;
	});
	openDialog(`Tags of ${count(summaries.length, "message")}`, [
		editor.element,
		h("p", { class: "hint" }, "Enter adds a tag. What is changed here is changed in each of the messages."),
	], {
		closed: () => {
			const added = after.filter((tag) => !before.includes(tag));
			const gone = before.filter((tag) => !after.includes(tag));
			if (added.length + gone.length > 0)
				apply(added, gone);
		},
	});
	editor.edit();
}
