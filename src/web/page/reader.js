// SPDX-License-Identifier: ISC
// reader.js - the message beside the list: its head, what is found in it, and the tabs.
//
// What a tab shows is made by views.js when it is first looked at, and stopped when another message
// is opened.

import { api } from "./api.js";
import { button, byId, h, icon } from "./dom.js";
import { copy } from "./say.js";
import { remember, remembered } from "./settings.js";
import { TagEditor } from "./tags.js";
import { count, fullTime, isWebLink, lately, messageTime, personFull, personName, size, visible } from "./text.js";
import { TABS } from "./views.js";

const PEOPLE_SHOWN = 12;
const LINKS_SHOWN = 50;

export class Reader {
	message = null;
	#element = byId("reading");
	#abort = null;
	#tabs = new Map();      // name -> { tab, panel }
	#tab = null;
	#editor = null;
	#actions;

	// actions: close, next, previous, markUnread, remove, release, setTags(tags), tags(), search(query)
	constructor(actions) {
		this.#actions = actions;
		this.#rest();
	}

	get id() {
		return this.message?.ID ?? null;
	}

	// Fetches and shows one. Resolves with the message, or undefined when another was asked for.
	async open(id) {
		this.#abort?.abort();
		const abort = this.#abort = new AbortController();
		this.#element.setAttribute("aria-busy", "true");
		try {
			const message = await api.message(id, abort.signal);
			if (abort.signal.aborted)
				return undefined;
			this.#show(message, abort.signal);
			return message;
		} catch (error) {
			if (abort.signal.aborted)
				return undefined;
			throw error;
		} finally {
			if (abort === this.#abort)
				this.#element.removeAttribute("aria-busy");
		}
	}

	close() {
		this.#abort?.abort();
		this.#element.removeAttribute("aria-busy");
		this.message = null;
		this.#rest();
	}

	// Something of a message changed: its release, its tags. False: another one is open.
	update(message) {
		if (this.message?.ID !== message.ID)
			return false;
		this.message = message;
		this.#editor?.show(message.Tags ?? []);
		this.#element.querySelector(".mail-released")?.replaceWith(this.#released());
		return true;
	}

	showTags(tags) {
		if (this.message !== null) {
			this.message.Tags = tags;
			this.#editor?.show(tags);
		}
	}

	editTags() {
		this.#editor?.edit();
	}

	// By its place: 0 is the first.
	chooseTab(index) {
		const names = [...this.#tabs.keys()];
		if (index >= 0 && index < names.length)
			this.#choose(names[index], true);
	}

	turnTab(by) {
		const names = [...this.#tabs.keys()];
		if (names.length > 0)
			this.chooseTab((names.indexOf(this.#tab) + by + names.length) % names.length);
	}

	copyFirst() {
		const code = this.message?.Codes?.[0], link = this.message?.Links?.[0];
		if (code)
			copy(code, "Code");
		else if (link)
			copy(link, "Link");
	}

	focus() {
		this.#element.focus({ preventScroll: true });
	}

	scroll(by) {
		const panel = this.#tabs.get(this.#tab)?.panel;
		const moves = [panel, this.#element].find((e) => e && e.scrollHeight > e.clientHeight + 1);
		moves?.scrollBy({ top: by * moves.clientHeight * 0.85 });
	}

	#rest() {
		this.#tabs.clear();
		this.#editor = null;
		this.#element.replaceChildren(h("div", { class: "resting", "aria-hidden": "true" },
			icon("unread"), h("p", {}, "Choose a message")));
	}

	#show(message, signal) {
		this.message = message;
		this.#tabs.clear();
		this.#tab = null;
		this.#editor = new TagEditor(message.Tags ?? [], this.#actions.tags(), (tags) => this.#actions.setTags(tags));
		this.#element.replaceChildren(...[
			this.#bar(message),
			h("header", { class: "mail-head" },
				h("h1", { class: message.Subject ? "mail-subject" : "mail-subject faint" },
					visible(message.Subject) || "No subject"),
				this.#people(message),
				this.#editor.element,
				this.#found(message),
				this.#released()),
			message.Parsed === false && h("p", { class: "notice" }, icon("warning"),
				h("span", {}, "This message was not taken apart",
					message.NotParsed ? ` (${visible(message.NotParsed)})` : "",
					": only its head was read. All of it is under Raw.")),
			...this.#body(message, signal),
		].filter(Boolean));
		this.#element.scrollTop = 0;
	}

	#bar(message) {
		const { close, next, previous, markUnread, remove, release } = this.#actions;
		return h("div", { class: "mail-bar", role: "toolbar", "aria-label": "Message" },
			button({ label: "Back to the list", name: "back", key: "Escape", class: "quiet mail-back", onclick: close }),
			button({ label: "Newer message", name: "up", key: "k", onclick: previous }),
			button({ label: "Older message", name: "down", key: "j", onclick: next }),
			h("span", { class: "gap" }),
			button({ label: "Mark as unread", name: "unread", key: "u", onclick: markUnread }),
			button({ label: "Release to real recipients", name: "send", key: "f", onclick: release }),
			h("a", { "class": "quiet", "href": api.rawAddress(message.ID), "download": true, "title": "Download (s)",
				"aria-label": "Download the message", "aria-keyshortcuts": "s", "id": "download" }, icon("save")),
			button({ label: "Delete", name: "trash", key: "#", onclick: remove }));
	}

	#people(message) {
		const { Envelope: envelope } = message;
		const rows = [
			["From", message.From?.Address || message.From?.Name ? [message.From] : []],
			["To", message.To],
			["Cc", message.Cc],
			["Bcc", message.Bcc],
			["Reply to", message.ReplyTo],
		].filter(([, people]) => people?.length > 0);
		return h("dl", { class: "mail-people" },
			rows.map(([name, people]) => fact(name, this.#addresses(people))),
			fact("Date", h("span", { title: fullTime(message.Date) }, messageTime(message.Date)),
				h("span", { class: "faint" }, ` \u00b7 ${[lately(message.Date), size(message.Size)].filter(Boolean).join(" \u00b7 ")}`)),
			envelope && fact("Envelope", h("span", { class: "mail-envelope" },
				`${visible(envelope.From) || "<>"} \u2192 ${(envelope.To ?? []).slice(0, PEOPLE_SHOWN).map(visible).join(", ")}`
				+ (envelope.To?.length > PEOPLE_SHOWN ? ` and ${envelope.To.length - PEOPLE_SHOWN} more` : ""))),
			message.Username && fact("Login", visible(message.Username)),
			unsubscribe(message.ListUnsubscribe));
	}

	#addresses(people) {
		const shown = people.slice(0, PEOPLE_SHOWN).map((person) => h("button", {
			"type": "button", "class": "person", "title": `Search ${personFull(person)}`,
			onclick: () => this.#actions.search(`addressed:${person.Address || personName(person)}`),
		}, h("bdi", {}, personName(person)),
		person.Name && person.Address && h("bdi", { class: "faint" }, ` ${visible(person.Address)}`)));
		if (people.length > PEOPLE_SHOWN)
			shown.push(h("span", { class: "faint" }, `and ${people.length - PEOPLE_SHOWN} more`));
		return shown;
	}

	// What people wait for in a mail: the code they have to type, the link they have to follow.
	#found({ Codes = [], Links = [] }) {
		if (Codes.length + Links.length === 0)
			return null;
		return h("div", { class: "found" },
			Codes.map((code) => h("button", { "type": "button", "class": "code", "title": "Copy the code (c)",
				onclick: () => copy(code, "Code") }, icon("key"), h("b", {}, visible(code)), icon("copy"))),
			Links.length > 0 && h("details", { class: "links" },
				h("summary", {}, icon("link"), count(Links.length, "link")),
				h("ul", {}, Links.slice(0, LINKS_SHOWN).map(linkLine))));
	}

	#released() {
		const states = this.message.Release ?? [];
		return h("div", { class: "mail-released", hidden: states.length === 0 },
			states.map(({ To, State, Reply }) => h("p", { "class": "release-state", "data-state": State },
				icon("send"), h("span", {}, `${visible(To)}: `, h("b", {}, visible(State)),
					Reply ? ` ${visible(Reply)}` : ""))));
	}

	#body(message, signal) {
		const tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Views of the message" });
		const panels = h("div", { class: "panels" });
		const offered = TABS.filter((tab) => tab.has(message));
		for (const { name, title, amount, make } of offered) {
			const number = amount?.(message);
			const tab = h("button", { "type": "button", "class": "tab", "role": "tab", "id": `tab-${name}`,
				"aria-controls": `panel-${name}`, onclick: () => this.#choose(name, true) },
			title, number > 0 && h("span", { class: "tab-count" }, String(number)));
			const panel = h("div", { "class": "panel", "role": "tabpanel", "id": `panel-${name}`,
				"aria-labelledby": `tab-${name}`, "tabindex": "0", "data-tab": name, "hidden": true });
			this.#tabs.set(name, { tab, panel, make: () => make(message, signal) });
			tabs.append(tab);
			panels.append(panel);
		}
		tabs.addEventListener("keydown", (event) => this.#tabKey(event));
		const liked = remembered("tab");
		this.#choose(this.#tabs.has(liked) ? liked : offered[0].name, false);
		return [tabs, panels];
	}

	#tabKey(event) {
		const names = [...this.#tabs.keys()], at = names.indexOf(this.#tab);
		const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
		if (to === undefined)
			return;
		event.preventDefault();
		this.chooseTab((to + names.length) % names.length);
		this.#tabs.get(this.#tab).tab.focus();
	}

	#choose(name, byReader) {
		if (byReader)
			remember("tab", name);
		this.#tab = name;
		for (const [other, { tab, panel }] of this.#tabs) {
			tab.setAttribute("aria-selected", String(other === name));
			tab.tabIndex = other === name ? 0 : -1;
			panel.hidden = other !== name;
		}
		const { tab, panel, make } = this.#tabs.get(name);
		tab.scrollIntoView?.({ block: "nearest", inline: "nearest" });
		if (panel.childElementCount === 0)
			fill(panel, make);
	}
}

// A view may have to be fetched first.
async function fill(panel, make) {
	const waits = h("p", { class: "hint" }, "Loading");
	try {
		const made = make();
		if (made instanceof Promise)
			panel.append(waits);
		panel.replaceChildren(...[await made].flat());
	} catch (error) {
		if (error.name !== "AbortError")
			panel.replaceChildren(h("p", { class: "notice" }, icon("warning"), h("span", {}, error.message)));
	}
}

function fact(name, ...values) {
	return h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, ...values));
}

function unsubscribe(list) {
	if (!list?.Header)
		return null;
	const links = list.Links ?? [];
	return fact("Unsubscribe", links.length > 0 ? links.map((link) => h("span", { class: "mail-envelope" },
		isWebLink(link) ? webLink(link) : visible(link), " ")) : visible(list.Header),
	list.Errors && h("span", { class: "bad" }, ` ${visible(list.Errors)}`));
}

export function webLink(url, text = url) {
	return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, visible(text));
}

function linkLine(link) {
	return h("li", {}, isWebLink(link) ? webLink(link) : h("span", {}, visible(link)),
		button({ label: "Copy the link", name: "copy", onclick: () => copy(link, "Link") }));
}
