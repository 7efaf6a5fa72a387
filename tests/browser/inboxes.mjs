// SPDX-License-Identifier: ISC
// inboxes.mjs - several inboxes. The one that is called billing has the mail for billing.example.

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
