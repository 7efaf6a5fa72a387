// SPDX-License-Identifier: ISC
// working.mjs - what people do with mail: by keys, by pointer, one or many.

import assert from "node:assert/strict";
import { api, eventually, send, test } from "./lab.mjs";

async function listed() {
	return (await (await api("api/v1/messages")).json()).messages;
}

test("the keyboard does it all", {}, async (screen) => {
	await send({ subject: "Old" }, { subject: "Middle" }, { subject: "New" });
	await screen.open();
	await screen.press("j");
	await screen.reads("New");
	await screen.press("j");
	await screen.reads("Middle");
	await screen.press("k");
	await screen.reads("New");
	await screen.press("u");
	await eventually(async () => (await listed())[0].Read === false, "it is unread again");
	await screen.press("j", "#");
	await screen.shows("New", "Old");
	await eventually(async () => (await listed()).length === 2, "it is gone on the server");
	await screen.reads("Old");
	await screen.press("Escape");
	assert.equal(await screen.page.locator(".mail-subject").count(), 0);
	await screen.press("Enter");
	await screen.reads("Old");
	await screen.press("Enter");
	assert.equal(await screen.page.evaluate(() => document.activeElement.id), "reading");
	await screen.press("]");
	assert.equal(await screen.page.locator("#tab-headers").getAttribute("aria-selected"), "true");
	await screen.press("1");
	assert.equal(await screen.page.locator("#tab-text").getAttribute("aria-selected"), "true");
	await screen.press("?");
	const help = screen.page.getByRole("dialog", { name: "Keyboard" });
	await help.getByText("Older message").waitFor();
	await screen.press("Escape");
	await help.waitFor({ state: "detached" });
	await screen.press("Escape", "Escape", "x");
	await screen.page.getByText("1 message picked").waitFor();
});

test("keys that are written are not commands", {}, async (screen) => {
	await send({ subject: "Stays" });
	await screen.open();
	await screen.press("/");
	await screen.page.keyboard.type("sta#ux?");
	assert.equal(await screen.page.locator("#query").inputValue(), "sta#ux?");
	assert.equal((await listed()).length, 1);
	assert.equal(await screen.page.locator("dialog").count(), 0);
});

test("several are picked and deleted", {}, async (screen) => {
	await send({ subject: "One" }, { subject: "Two" }, { subject: "Three" }, { subject: "Four" });
	await screen.open();
	await screen.row("One").click({ modifiers: ["Control"] });
	await screen.row("Three").click({ modifiers: ["Control"] });
	await screen.page.getByText("2 messages picked").waitFor();
	await screen.page.getByRole("button", { name: "Mark as read" }).click();
	await eventually(async () => (await listed()).filter(({ Read }) => Read).length === 2, "two are read");
	await screen.page.locator("#tools").getByRole("button", { name: "Delete" }).click();
	await screen.shows("Four", "Two");
	await eventually(async () => (await listed()).length === 2, "two are left");
	await screen.row("Four").click({ modifiers: ["Shift"] });
	await screen.row("Two").click({ modifiers: ["Shift"] });
	await screen.press("#");
	await screen.page.getByText("No mail yet").waitFor();
});

test("all that is found is deleted after a question", {}, async (screen) => {
	await send({ subject: "Spam 1" }, { subject: "Keep" }, { subject: "Spam 2" });
	await screen.open("#q=subject%3ASpam");
	await screen.shows("Spam 2", "Spam 1");
	await screen.page.getByRole("button", { name: "Delete all found" }).click();
	await screen.page.getByRole("button", { name: "Cancel" }).click();
	assert.equal((await listed()).length, 3);
	await screen.page.getByRole("button", { name: "Delete all found" }).click();
	await screen.page.getByRole("button", { name: "Delete 2 messages" }).click();
	await screen.page.getByText("Nothing found").waitFor();
	assert.deepEqual((await listed()).map(({ Subject }) => Subject), ["Keep"]);
	await screen.page.getByRole("button", { name: "Show all mail" }).click();
	await screen.shows("Keep");
});

test("all are marked as read", {}, async (screen) => {
	await send({ subject: "One" }, { subject: "Two" });
	await screen.open();
	await screen.page.getByRole("button", { name: "Mark all as read" }).click();
	await eventually(async () => (await listed()).every(({ Read }) => Read), "all are read");
	await eventually(async () => await screen.page.locator(".row.unread:not([hidden])").count() === 0, "and look so");
});

test("what another one does is seen", {}, async (screen) => {
	await send({ subject: "One" }, { subject: "Two" });
	await screen.open();
	await screen.read("Two");
	const [two, one] = await listed();
	await api("api/v1/messages", { method: "PUT", body: JSON.stringify({ IDs: [one.ID], Read: true }),
		headers: { "Content-Type": "application/json" } });
	await eventually(async () => await screen.page.locator(".row.unread:not([hidden])").count() === 0, "one is read");
	await api("api/v1/messages", { method: "DELETE", body: JSON.stringify({ IDs: [two.ID] }),
		headers: { "Content-Type": "application/json" } });
	await screen.shows("One");
	assert.equal(await screen.page.locator(".mail-subject").count(), 0);
	await api("api/v1/messages", { method: "DELETE" });
	await screen.page.getByText("No mail yet").waitFor();
});

test("tags are given and taken", {}, async (screen) => {
	await send({ subject: "One" }, { subject: "Two" });
	await screen.open();
	await screen.read("Two");
	await screen.press("t");
	await screen.page.keyboard.type("urgent");
	await screen.press("Enter", "Escape");
	await eventually(async () => (await listed())[0].Tags.join() === "urgent", "the server has it");
	await screen.page.locator("#side").getByRole("button", { name: "urgent" }).click();
	await screen.shows("Two");
	await screen.page.locator(".mail-head").getByRole("button", { name: "Take off the tag urgent" }).click();
	await screen.page.getByText("Nothing found").waitFor();
	// Of several at once.
	await screen.press("Escape", "Escape", "i");
	await screen.shows("Two", "One");
	await screen.press("*", "t");
	await screen.page.keyboard.type("both");
	await screen.press("Enter", "Escape", "Escape");
	await eventually(async () => (await listed()).every(({ Tags }) => Tags.join() === "both"), "each has it");
});

test("a message cannot be released without a relay", {}, async (screen) => {
	await send({ subject: "Mine" });
	await screen.open();
	await screen.read("Mine");
	await screen.press("f");
	await screen.page.getByRole("dialog", { name: "Release" }).getByText("penstockd --catch --relay").waitFor();
});

test("the bell asks, and then new mail is notified of", {}, async (screen) => {
	await screen.page.addInitScript(() => {
		window.asked = 0;
		window.shown = [];
		window.Notification = class {
			static permission = "default";

			static async requestPermission() {
				window.asked++;
				this.permission = "granted";
				return this.permission;
			}

			constructor(title, { body }) {
				window.shown.push(`${title}: ${body}`);
			}
		};
		Object.defineProperty(document, "hidden", { get: () => window.away === true });
	});
	await screen.open();
	const bell = screen.page.getByRole("button", { name: "Desktop notifications" });
	assert.equal(await screen.page.evaluate(() => window.asked), 0, "not before");
	await bell.click();
	assert.equal(await bell.getAttribute("aria-pressed"), "true");
	await send({ subject: "Seen" });
	await screen.shows("Seen");
	await eventually(async () => /Seen/.test(await screen.page.locator("#spoken").textContent()), "it is said");
	await screen.page.evaluate(() => {
		window.away = true;
	});
	await send({ subject: "Unseen" });
	await eventually(() => screen.page.evaluate(() => window.shown.length > 0), "it is shown");
	assert.deepEqual(await screen.page.evaluate(() => [window.shown, window.asked]), [["App: Unseen"], 1]);
});
