// SPDX-License-Identifier: ISC
// views.js - what the tabs of a message show. Each view is made from the message, once, when its
// tab is first looked at; `signal` ends what it still fetches.

import { api } from "./api.js";
import { button, h, icon } from "./dom.js";
import { highlighted } from "./highlight.js";
import { copy } from "./say.js";
import { remember, remembered } from "./settings.js";
import { count, fullTime, isWebLink, size, visible, visibleLines } from "./text.js";

// More than this is not for reading: the rest is in the download.
const TEXT_MOST = 512 * 1024;       // characters
const PICTURE_MOST = 4_000_000;     // octets of an attachment that is shown small
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

const WIDTHS = [
	["phone", "As wide as a phone", "phone"],
	["tablet", "As wide as a tablet", "tablet"],
	["full", "Full width", "desktop"],
];

export const TABS = [
	{ name: "html", title: "HTML", has: (m) => Boolean(m.HTML), make: htmlView },
	{ name: "text", title: "Text", has: () => true, make: textView },
	{ name: "source", title: "Source", has: (m) => Boolean(m.HTML), make: sourceView },
	{ name: "headers", title: "Headers", has: () => true, make: headersView },
	{ name: "raw", title: "Raw", has: () => true, make: rawView },
	{ name: "files", title: "Attachments", has: (m) => files(m).length > 0, amount: (m) => files(m).length,
		make: filesView },
	{ name: "smtp", title: "SMTP", has: () => true, make: dialogueView },
];

function files(message) {
	return [...message.Attachments ?? [], ...message.Inline ?? []];
}

// HTML ------------------------------------------------------------------------------------------

// Would it fetch something from elsewhere? A guess that only decides whether to offer it.
function wantsRemote(html) {
	return /(?:\bsrc|\bsrcset|\bbackground|\bposter|<link[^>]+href)\s*=\s*["']?\s*(?:https?:)?\/\/|url\(\s*["']?\s*(?:https?:)?\/\//i
		.test(html);
}

// No script runs in the frame, and it has no origin: it can neither reach this page nor its server.
function frameOf(message, remote) {
	return h("iframe", {
		"class": "mail-frame", "title": "The message as HTML", "referrerpolicy": "no-referrer",
		"sandbox": "allow-popups allow-popups-to-escape-sandbox",
		"src": api.viewAddress(message.ID, "html", remote ? "?embed=1&remote=1" : "?embed=1"),
	});
}

function htmlView(message) {
	const paper = h("div", { class: "paper" });
	const load = (remote) => paper.replaceChildren(frameOf(message, remote));
	const widths = WIDTHS.map(([name, label, picture]) => button({
		label, "name": picture, "data-width": name, "onclick": () => setWidth(name, true),
	}));
	const setWidth = (name, byReader) => {
		paper.dataset.width = name;
		for (const width of widths)
			width.setAttribute("aria-pressed", String(width.dataset.width === name));
		if (byReader)
			remember("width", name);
	};
	// A mail follows prefers-color-scheme, which in a frame is what the frame says.
	const dark = button({ label: "As a reader with dark colours sees it", name: "moon",
		onclick: () => setDark(dark.getAttribute("aria-pressed") !== "true", true) });
	const setDark = (wanted, byReader) => {
		paper.toggleAttribute("data-dark", wanted);
		dark.setAttribute("aria-pressed", String(wanted));
		if (byReader)
			remember("dark-mail", wanted ? "yes" : null);
	};
	const blocked = wantsRemote(message.HTML) && h("p", { class: "notice images", title: "They would tell the sender that you look." }, icon("image"),
		h("span", {}, "Remote images are blocked."),
		h("button", { type: "button", class: "button", onclick: () => {
			load(true);
			blocked.remove();
		} }, "Load images"));
	setWidth(WIDTHS.some(([name]) => name === remembered("width")) ? remembered("width") : "full", false);
	setDark(remembered("dark-mail") === "yes", false);
	load(false);
	return [
		h("div", { class: "view-bar" },
			h("span", { class: "widths", role: "group", "aria-label": "Width" }, widths),
			dark,
			blocked,
			h("a", { class: "quiet view-open", href: api.viewAddress(message.ID, "html"), target: "_blank",
				rel: "noopener noreferrer", title: "Open in a new tab (o)", "aria-label": "Open in a new tab",
				id: "view-open" }, icon("open"))),
		paper,
	];
}

// Text ------------------------------------------------------------------------------------------

function cut(text) {
	return text.length > TEXT_MOST ? text.slice(0, TEXT_MOST) : text;
}

function cutNotice(message, shown, whole) {
	return shown < whole && h("p", { class: "notice" }, icon("warning"),
		h("span", {}, "This is only the beginning. ", h("a", { href: api.rawAddress(message.ID), download: true },
			`Download all ${size(message.Size)}`)));
}

function copyBar(text, what) {
	return h("div", { class: "view-bar" }, h("span", { class: "gap" }),
		button({ text: "Copy", name: "copy", onclick: () => copy(text, what) }));
}

const LINK = /\bhttps?:\/\/[^\s<>"'`\u0000-\u0020]+[^\s<>"'`.,;:!?)\]}]/gi;

// A text with its web addresses as links.
function linked(text) {
	const parts = [];
	let end = 0;
	for (const match of text.matchAll(LINK)) {
		if (!isWebLink(match[0]))
			continue;
		parts.push(text.slice(end, match.index),
			h("a", { href: match[0], target: "_blank", rel: "noopener noreferrer" }, match[0]));
		end = match.index + match[0].length;
	}
	return [...parts, text.slice(end)];
}

function textView(message) {
	const text = message.Text ?? "";
	if (text.trim() === "")
		return h("p", { class: "hint" }, message.HTML ? "This message has no text, only HTML." : "This message is empty.");
	return [copyBar(text, "Text"), h("pre", { class: "mail-text", dir: "auto" }, linked(cut(text))),
		cutNotice(message, TEXT_MOST, text.length)].filter(Boolean);
}

function sourceView(message) {
	return [copyBar(message.HTML, "Source"), h("pre", { class: "code-text" }, highlighted(cut(message.HTML))),
		cutNotice(message, TEXT_MOST, message.HTML.length)].filter(Boolean);
}

async function headersView(message, signal) {
	const headers = await api.headers(message.ID, signal);
	return h("table", { class: "headers" }, h("tbody", {}, Object.entries(headers).flatMap(([name, values]) =>
		[values].flat().map((value) => h("tr", {}, h("th", { scope: "row" }, visible(name)),
			h("td", {}, linked(visible(value))))))));
}

// The beginning of it, read no further than it is shown.
async function beginning(response) {
	const reader = response.body.getReader(), decoder = new TextDecoder();
	let text = "";
	while (text.length <= TEXT_MOST) {
		const { done, value } = await reader.read();
		if (done)
			return text;
		text += decoder.decode(value, { stream: true });
	}
	reader.cancel().catch(() => {});
	return text;
}

async function rawView(message, signal) {
	const text = await beginning(await api.raw(message.ID, signal));
	const end = text.search(/\r?\n\r?\n/);
	const head = end < 0 ? cut(text) : text.slice(0, Math.min(end, TEXT_MOST));
	return [
		h("div", { class: "view-bar" }, h("span", { class: "gap" }),
			text.length <= TEXT_MOST && button({ text: "Copy", name: "copy", onclick: () => copy(text, "Message") }),
			h("a", { class: "button", href: api.rawAddress(message.ID), download: true }, icon("save"),
				h("span", {}, "Download"))),
		h("pre", { class: "code-text" }, h("span", { class: "raw-head" }, head), cut(text).slice(head.length)),
		cutNotice(message, TEXT_MOST, text.length),
	].filter(Boolean);
}

// Attachments -----------------------------------------------------------------------------------

function filePicture(message, file) {
	if (!PICTURES.has(file.ContentType) || file.Size > PICTURE_MOST)
		return h("span", { class: "file-picture" }, icon("file"));
	return h("span", { class: "file-picture" }, h("img", { src: api.partAddress(message.ID, file.PartID), alt: "",
		loading: "lazy", decoding: "async" }));
}

function fileCard(message, file, inline) {
	const name = visible(file.FileName) || `part ${visible(file.PartID)}`;
	return h("li", { class: "file" },
		filePicture(message, file),
		h("span", { class: "file-what" },
			h("b", {}, h("bdi", {}, name)),
			h("span", { class: "faint" }, [visible(file.ContentType), size(file.Size), inline && "inside the text"]
				.filter(Boolean).join(" \u00b7 ")),
			file.Checksums?.SHA256 && h("details", { class: "sums" }, h("summary", {}, "Checksums"),
				Object.entries(file.Checksums).map(([kind, sum]) => h("code", {}, `${visible(kind)} ${visible(sum)}`)))),
		h("a", { class: "quiet", href: api.partAddress(message.ID, file.PartID), download: name,
			title: "Download", "aria-label": `Download ${name}` }, icon("save")));
}

function filesView(message) {
	return h("ul", { class: "files" },
		(message.Attachments ?? []).map((file) => fileCard(message, file, false)),
		(message.Inline ?? []).map((file) => fileCard(message, file, true)));
}

// SMTP ------------------------------------------------------------------------------------------

export function dialogueLines(lines) {
	const start = new Date(lines[0]?.Time).getTime();
	return h("ol", { class: "dialogue" }, lines.map(({ Time, From, Text }) => {
		const since = new Date(Time).getTime() - start;
		return h("li", { class: From === "client" ? "said-client" : "said-server" },
			h("time", { title: fullTime(Time) }, Number.isFinite(since) ? `+${since} ms` : ""),
			h("span", { class: "said-by" }, From === "client" ? "C" : "S"),
			h("code", {}, visibleLines(Text)));
	}));
}

function origin({ Client: client, Helo: helo, TLS: tls }) {
	return [client && `from ${visible(client)}`, helo && `as ${visible(helo)}`, tls && `over ${visible(tls)}`]
		.filter(Boolean).join(" ");
}

async function dialogueView(message, signal) {
	const { Lines: lines = [] } = await api.dialogue(message.ID, signal);
	if (lines.length === 0)
		return h("p", { class: "hint" }, "The SMTP dialogue of this message was not kept.");
	const text = lines.map(({ From, Text }) => `${From === "client" ? "C" : "S"}: ${Text}`).join("\n");
	return [
		h("div", { class: "view-bar" }, h("span", { class: "faint" }, origin(message.Envelope ?? {}) || count(lines.length, "line")),
			h("span", { class: "gap" }), button({ text: "Copy", name: "copy", onclick: () => copy(text, "Dialogue") })),
		dialogueLines(lines),
	];
}
