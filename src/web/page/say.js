// SPDX-License-Identifier: ISC
// say.js - short words: a toast for the eyes, a live region for the ears.

import { byId, h } from "./dom.js";

const SHOWN_MS = 4000;
const TROUBLE_SHOWN_MS = 9000;
const SHOWN_MOST = 3;

export function speak(text) {
	byId("spoken").textContent = text;
}

function toast(text, kind, shown) {
	const element = h("div", { class: `toast ${kind}` }, text);
	const toasts = byId("toasts");
	element.addEventListener("click", () => element.remove());
	toasts.append(element);
	while (toasts.children.length > SHOWN_MOST)
		toasts.firstChild.remove();
	setTimeout(() => element.remove(), shown);
}

export function say(text) {
	toast(text, "", SHOWN_MS);
	speak(text);
}

export function complain(error) {
	if (error?.name === "AbortError")
		return;
	const text = error instanceof Error ? error.message : String(error);
	toast(text, "trouble", TROUBLE_SHOWN_MS);
	speak(text);
}

export async function copy(text, what) {
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		if (!copyBySelection(text))
			return complain("The browser does not let the page copy.");
	}
	say(`${what} copied`);
}

// The clipboard is there for https and localhost only; http://mail.local is neither.
function copyBySelection(text) {
	const area = h("textarea", { class: "unseen", readonly: true });
	const focused = document.activeElement;
	area.value = text;
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	focused?.focus();
	return done;
}
