// SPDX-License-Identifier: ISC
// keys.js - the keyboard: one table, from which the help is made too.

import { byId, h } from "./dom.js";
import { isDialogOpen, openDialog } from "./dialog.js";

// Keys, what they do in words, the action's name
const KEYS = [
	["Move", [
		[["j", "ArrowDown"], "Older message", "next"],
		[["k", "ArrowUp"], "Newer message", "previous"],
		[["n"], "Next unread message", "nextUnread"],
		[["g", "Home"], "Newest message", "first"],
		[["G", "End"], "Oldest message", "last"],
		[["PageDown"], "A page down", "pageDown"],
		[["PageUp"], "A page up", "pageUp"],
		[["Enter"], "Open, and into the message", "enter"],
		[["Escape"], "Back: message, picks, search", "escape"],
	]],
	["List", [
		[["/"], "Search", "search"],
		[["x"], "Pick this message", "pick"],
		[["*"], "Pick all that are loaded", "pickAll"],
		[["A"], "Mark all, or all found, as read", "readAll"],
		[["r"], "Refresh", "reload"],
	]],
	["Message", [
		[["u"], "Mark as unread", "markUnread"],
		[["U"], "Mark as read", "markRead"],
		[["t"], "Edit tags", "tag"],
		[["f"], "Release to real recipients", "release"],
		[["s"], "Download", "save"],
		[["c"], "Copy the code, or the first link", "copyFirst"],
		[["o"], "HTML in a new tab", "openView"],
		[["#", "Delete"], "Delete", "remove"],
		[["]"], "Next tab", "tabNext"],
		[["["], "Previous tab", "tabPrevious"],
		[["1", "2", "3", "4", "5", "6", "7"], "Tab by its place", "tabAt"],
		[["Space"], "Scroll the message", "scroll"],
	]],
	["Page", [
		[["i"], "All mail", "home"],
		[["D"], "Colours: system, dark, light", "theme"],
		[["e"], "Failed SMTP sessions", "sessions"],
		[["?"], "This help", "help"],
	]],
];

const SHOWN = {
	"ArrowDown": "\u2193", "ArrowUp": "\u2191", "Escape": "Esc", "Delete": "Del", "PageDown": "PgDn", "PageUp": "PgUp",
};

const byKey = new Map(KEYS.flatMap(([, rows]) => rows.flatMap(([keys, , action]) => keys.map((key) => [key, action]))));

function isWriting(element) {
	return element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;
}

// Keys that mean something to what has the focus: a button, a tab, a link.
function isTaken(event) {
	const element = event.target;
	if (["Enter", " "].includes(event.key))
		return element.closest("button, a, summary, [role=tab]") !== null;
	if (event.key.startsWith("Arrow"))
		return element.closest("[role=tab], [role=separator]") !== null;
	if (["PageDown", "PageUp", "Home", "End"].includes(event.key))
		return element.closest("[role=tab], [role=separator], .reading") !== null;
	return false;
}

export function startKeys(actions) {
	document.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented)
			return;
		if (isDialogOpen() || isWriting(event.target) || isTaken(event))
			return;
		const action = byKey.get(event.key === " " ? "Space" : event.key);
		if (action === undefined)
			return;
		if (actions[action](event) !== false)
			event.preventDefault();
	});
	byId("help").addEventListener("click", openHelp);
}

export function openHelp() {
	openDialog("Keyboard", h("div", { class: "keys" }, KEYS.map(([title, rows]) => h("section", {},
		h("h3", {}, title),
		h("dl", {}, rows.map(([keys, says]) => h("div", {},
			h("dt", {}, (keys.length > 3 ? [keys[0], "\u2026", keys[keys.length - 1]] : keys).map((key) =>
				key === "\u2026" ? "\u2026" : h("kbd", {}, SHOWN[key] ?? key))),
			h("dd", {}, says))))))), { wide: true });
}
