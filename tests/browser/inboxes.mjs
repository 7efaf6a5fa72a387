// SPDX-License-Identifier: ISC
// inboxes.mjs - several inboxes, and a relay for what is released. The inbox "billing" has the mail
// for billing.example.

import assert from "node:assert/strict";
import { eventually, send, sendTo, test } from "./lab.mjs";

test("each inbox has a page", {}, async (screen) => {
	await send({ subject: "For all" });
	await sendTo("you@billing.example", { subject: "An invoice", html: "<p>To be paid</p>" });
	await screen.open();
	await screen.shows("For all");
	const link = screen.page.locator("#side").getByRole("link", { name: "billing" });
	await eventually(async () => /1/.test(await link.innerText()), "its unread mail is counted");
	await link.click();
	await screen.page.waitForURL(/\/inbox\/billing\/$/);
	await screen.shows("An invoice");
	await screen.read("An invoice");
	await screen.frame.getByText("To be paid").waitFor();
	await sendTo("you@billing.example", { subject: "A reminder" });
	await screen.shows("A reminder", "An invoice");
	await screen.press("e");
	await screen.page.getByText("Every session brought its mail").or(screen.page.locator(".session").first()).waitFor();
	await screen.press("Escape", "#");
	await screen.shows("A reminder");
	await screen.page.locator("#side").getByRole("link", { name: "default" }).click();
	await screen.shows("For all");
});

test("a message is released", {}, async (screen) => {
	await send({ subject: "Go out" });
	await screen.open();
	await screen.read("Go out");
	await screen.press("f");
	const dialog = screen.page.getByRole("dialog", { name: "Release" });
	assert.equal(await dialog.getByLabel("Recipients").inputValue(), "you@example.com");
	await dialog.getByLabel("Recipients").fill("one@real.example\ntwo@real.example");
	await dialog.getByRole("button", { name: "Release" }).click();
	for (const recipient of ["one", "two"])
		await dialog.locator(".release-state[data-state=sent]", { hasText: `${recipient}@real.example` }).waitFor();
	await screen.press("Escape");
	await screen.page.locator(".mail-released .release-state[data-state=sent]").first().waitFor();
});
