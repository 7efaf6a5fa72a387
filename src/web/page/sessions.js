// SPDX-License-Identifier: ISC
// sessions.js - the SMTP sessions that brought no mail, and where they went wrong.

import { api } from "./api.js";
import { h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { ago, fullTime, visible } from "./text.js";
import { dialogueLines } from "./views.js";

const SHOWN_MOST = 200;

function session({ Time, Client, Helo, Reason, Lines = [] }) {
	const lines = h("div");
	const details = h("details", { class: "session" },
		h("summary", {},
			h("span", { class: "session-reason" }, visible(Reason) || "ended early"),
			h("span", { class: "faint" }, [visible(Client), Helo && `as ${visible(Helo)}`].filter(Boolean).join(" ")),
			h("time", { title: fullTime(Time) }, ago(Time))),
		lines);
	details.addEventListener("toggle", () => {
		if (details.open && lines.childElementCount === 0)
			lines.replaceChildren(Lines.length > 0 ? dialogueLines(Lines) : h("p", { class: "hint" }, "Nothing was said."));
	});
	return details;
}

export async function openSessions() {
	const content = h("div", { class: "sessions" }, h("p", { class: "hint" }, "Loading"));
	openDialog("Failed SMTP sessions", content, { wide: true });
	try {
		const sessions = await api.sessions();
		content.replaceChildren(...sessions.length > 0 ? sessions.slice(0, SHOWN_MOST).map(session)
			: [h("p", { class: "hint" }, "Every session brought its mail. Here is what went wrong, when something does.")]);
	} catch (error) {
		content.replaceChildren(h("p", { class: "bad" }, error.message));
	}
}
