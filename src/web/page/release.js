// SPDX-License-Identifier: ISC
// release.js - asks to whom a caught message is really sent, and shows what becomes of it.

import { api } from "./api.js";
import { h, icon } from "./dom.js";
import { openDialog } from "./dialog.js";
import { count, personName, visible } from "./text.js";

const LOOK_AGAIN_MS = 1500;
const FINAL = new Set(["sent", "failed"]);

function split(text) {
	return text.split(/[\s,;]+/).map((address) => address.replace(/^<|>$/g, "")).filter(Boolean);
}

// What the settings say about where it goes.
function relayWords(relay) {
	return [
		relay.SMTPServer && `It goes through ${visible(relay.SMTPServer)}.`,
		relay.ReturnPath && `The envelope sender becomes ${visible(relay.ReturnPath)}.`,
		relay.OverrideFrom && `The sender becomes ${visible(relay.OverrideFrom)}.`,
		relay.AllowedRecipients && `Only recipients that match ${visible(relay.AllowedRecipients)} are allowed.`,
		relay.BlockedRecipients && `Recipients that match ${visible(relay.BlockedRecipients)} are not.`,
	].filter(Boolean).join(" ");
}

// changed(message): called with what is new; is that message still shown?
export function openRelease(message, relay, changed) {
	if (!relay?.Enabled) {
		openDialog("Release", [
			h("p", {}, "Nothing leaves this inbox: there is no relay to send it through."),
			h("p", { class: "hint" }, "Start with one to release single messages by hand:"),
			h("pre", { class: "code-text boxed" }, "penstockd --catch --relay smtp://user@smtp.example.com:587"),
		]);
		return;
	}
	const known = [...message.To ?? [], ...message.Cc ?? [], ...message.Bcc ?? []].map(({ Address }) => Address);
	const to = h("textarea", { id: "release-to", rows: 3, spellcheck: "false", autofocus: true });
	const problem = h("p", { class: "bad", role: "alert", hidden: true });
	const states = h("div", { "class": "release-states", "aria-live": "polite" });
	const submit = h("button", { type: "button", class: "button primary", onclick: () => release() }, icon("send"),
		h("span", {}, "Release"));
	to.value = [...new Set(known)].filter(Boolean).join("\n");
	to.addEventListener("keydown", (event) => {
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
			release();
	});
	showStates(states, message.Release);
	let open = true;
	openDialog("Release", [
		h("p", {}, "Send ", h("b", {}, visible(message.Subject) || "this message"), " from ",
			h("b", {}, personName(message.From) || "nobody"), " for real."),
		h("label", { for: "release-to" }, "Recipients, one a line"), to,
		h("p", { class: "hint" }, relayWords(relay)), problem, states,
		h("div", { class: "dialog-actions" }, submit),
	], { closed: () => {
		open = false;
	} });

	async function release() {
		const recipients = split(to.value);
		problem.hidden = true;
		if (recipients.length === 0)
			return complainHere("Whom should it go to?");
		submit.disabled = true;
		try {
			await api.release(message.ID, recipients);
			states.replaceChildren(h("p", { class: "hint" }, `Handed over for ${count(recipients.length, "recipient")}.`));
			await watch();
		} catch (error) {
			complainHere(error.message);
		} finally {
			submit.disabled = false;
		}
	}

	function complainHere(text) {
		problem.textContent = text;
		problem.hidden = false;
	}

	// Until it is sent or has failed, as long as somebody looks, here or at the message.
	async function watch() {
		for (;;) {
			const now = await api.message(message.ID);
			const isShown = changed(now);
			showStates(states, now.Release);
			if (!now.Release?.length || now.Release.every(({ State }) => FINAL.has(State)) || !(open || isShown))
				return;
			await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
		}
	}
}

function showStates(element, releases) {
	if (!releases?.length)
		return;
	element.replaceChildren(...releases.map(({ To, State, Reply }) =>
		h("p", { "class": "release-state", "data-state": State }, icon("send"), h("span", {}, `${visible(To)}: `,
			h("b", {}, visible(State)), Reply ? ` ${visible(Reply)}` : ""))));
}
