// SPDX-License-Identifier: ISC
// row.js - one message in the list. Rows are few and used again for other messages.

import { h, icon, setText } from "./dom.js";
import { ago, count, fullTime, personFull, personName, size, visible } from "./text.js";

const TAGS_SHOWN = 3;

export class Row {
	index = -1;
	#summary = null;
	#time = h("time", { class: "row-time" });
	#from = h("span", { class: "row-from" });
	#to = h("span", { class: "row-to" });
	#subject = h("span", { class: "row-subject" });
	#snippet = h("span", { class: "row-snippet" });
	#marks = h("span", { class: "row-marks" });
	#pick = h("span", { class: "row-pick", "aria-hidden": "true" }, icon("check"));

	constructor() {
		this.element = h("div", { class: "row", role: "option" },
			this.#pick,
			h("span", { class: "row-line" }, this.#from, this.#to, this.#time),
			h("span", { class: "row-line" }, this.#subject),
			h("span", { class: "row-line" }, this.#snippet, this.#marks));
	}

	get id() {
		return this.#summary?.ID;
	}

	// What is not loaded yet has no summary.
	show(index, summary, { total, isCurrent, isPicked }) {
		const element = this.element;
		if (index !== this.index) {
			this.index = index;
			element.hidden = false;
			element.id = `row-${index}`;
			element.setAttribute("aria-posinset", index + 1);
		}
		element.setAttribute("aria-setsize", total);
		element.classList.toggle("current", isCurrent);
		element.classList.toggle("picked", isPicked);
		element.setAttribute("aria-selected", isCurrent || isPicked);
		if (summary === this.#summary)
			return;
		this.#summary = summary ?? null;
		element.classList.toggle("waiting", !summary);
		element.classList.toggle("unread", Boolean(summary) && !summary.Read);
		if (summary)
			this.#fill(summary);
		else
			this.#empty();
	}

	// Until it is wanted for another place.
	leave() {
		this.index = -1;
		this.element.hidden = true;
		this.element.removeAttribute("id");
	}

	tick() {
		if (this.#summary)
			setText(this.#time, ago(this.#summary.Created));
	}

	#empty() {
		for (const part of [this.#time, this.#from, this.#to, this.#subject, this.#snippet, this.#marks])
			part.replaceChildren();
		this.element.setAttribute("aria-label", "Loading");
	}

	#fill(summary) {
		const recipients = [...summary.To ?? [], ...summary.Cc ?? [], ...summary.Bcc ?? []];
		const to = recipients.length > 1
			? `${personName(recipients[0])} +${recipients.length - 1}` : personName(recipients[0]);
		const from = personName(summary.From) || "no sender";
		const subject = visible(summary.Subject) || "No subject";
		setText(this.#from, from);
		this.#from.title = personFull(summary.From);
		setText(this.#to, to);
		this.#to.title = recipients.slice(0, 20).map(personFull).join("\n");
		setText(this.#subject, subject);
		this.#subject.classList.toggle("faint", !summary.Subject);
		setText(this.#snippet, visible(summary.Snippet));
		setText(this.#time, ago(summary.Created));
		this.#time.title = fullTime(summary.Created);
		this.#marks.replaceChildren(...marks(summary));
		this.element.setAttribute("aria-label", [
			summary.Read ? "" : "Unread.", `${subject}. From ${from}${to && ` to ${to}`}.`,
			summary.Attachments ? `${count(summary.Attachments, "attachment")}.` : "",
			summary.Tags?.length ? `Tags: ${summary.Tags.map(visible).join(", ")}.` : "",
			fullTime(summary.Created),
		].filter(Boolean).join(" "));
	}
}

function marks(summary) {
	const tags = summary.Tags ?? [];
	return [
		...tags.slice(0, TAGS_SHOWN).map((tag) => tagPill(tag)),
		tags.length > TAGS_SHOWN ? h("span", { class: "tag" }, `+${tags.length - TAGS_SHOWN}`) : null,
		summary.Attachments
			? h("span", { class: "row-clip", title: count(summary.Attachments, "attachment") },
				icon("clip"), summary.Attachments > 1 ? String(summary.Attachments) : "")
			: null,
		h("span", { class: "row-size" }, size(summary.Size)),
	].filter(Boolean);
}

// A tag has one of eight colours, by its name.
export function tagColor(tag) {
	let sum = 0;
	for (const c of tag)
		sum = (sum * 31 + c.codePointAt(0)) % 4093;
	return String(sum % 8);
}

export function tagPill(tag, ...more) {
	return h("span", { "class": "tag", "data-color": tagColor(tag) }, h("span", {}, visible(tag)), ...more);
}
