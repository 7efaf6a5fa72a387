// SPDX-License-Identifier: ISC
// dialog.js - what opens over the page: the element <dialog> keeps the focus inside, takes Esc, and
// gives the focus back.

import { button, h } from "./dom.js";

let titles = 0;

// Opens one; `content` are its children. Returns the element, which goes when it is closed.
export function openDialog(title, content, { wide = false, closed } = {}) {
	const titleId = `title-${++titles}`;
	const before = document.activeElement;
	const dialog = h("dialog", { "class": wide ? "wide" : null, "aria-labelledby": titleId },
		h("div", { class: "dialog-head" }, h("h2", { id: titleId }, title),
			button({ label: "Close", name: "cross", key: "Escape", onclick: () => dialog.close() })),
		h("div", { class: "dialog-body" }, content));
	dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
	dialog.addEventListener("close", () => {
		const moved = document.activeElement !== document.body && !dialog.contains(document.activeElement);
		dialog.remove();
		if (!moved)
			before?.focus?.({ preventScroll: true });
		closed?.();
	});
	document.body.append(dialog);
	dialog.showModal();
	return dialog;
}

// Asks before what cannot be taken back. Resolves with true or false.
export function confirmed(title, text, action) {
	return new Promise((resolve) => {
		let answer = false;
		const dialog = openDialog(title, [
			h("p", {}, text),
			h("div", { class: "dialog-actions" },
				h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"),
				h("button", { type: "button", class: "button danger", autofocus: true, onclick: () => {
					answer = true;
					dialog.close();
				} }, action)),
		], { closed: () => resolve(answer) });
	});
}

export function isDialogOpen() {
	return document.querySelector("dialog[open]") !== null;
}
