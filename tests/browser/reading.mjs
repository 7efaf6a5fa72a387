// SPDX-License-Identifier: ISC
// reading.mjs - mail comes, is found and is read.

import assert from "node:assert/strict";
import { eventually, mail, send, smtpPort, test } from "./lab.mjs";
import { refused } from "./smtp.mjs";

// A dot.
const PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

test("an empty inbox shows how to send to it", {}, async (screen) => {
	await screen.open();
	await screen.page.getByText("No mail yet").waitFor();
	for (const language of ["curl", "Python", "Node", "PHP", "Rails"]) {
		await screen.tab(language);
		assert.match(await screen.text(".sample pre"), new RegExp(`\\b${smtpPort}\\b|sendmail`), language);
	}
	await screen.page.getByRole("button", { name: "Send a test mail" }).click();
	await screen.shows("It works");
});

test("new mail appears by itself", {}, async (screen) => {
	await screen.open();
	await send({ subject: "First" });
	await screen.shows("First");
	await eventually(async () => /^\(1\)/.test(await screen.page.title()), "the title counts it");
	await send({ subject: "Second" }, { subject: "Third" });
	await screen.shows("Third", "Second", "First");
	assert.equal(await screen.page.locator(".row.unread:not([hidden])").count(), 3);
	await eventually(async () => /new message/i.test(await screen.page.locator("#spoken").textContent()), "it is announced");
});

test("a message is read in all its views", {}, async (screen, context) => {
	await send({
		subject: "All of it", text: "Plain words, see https://example.com/plain.", html: "<h1 class=big>Rich words</h1>",
		files: [{ name: "notes.txt", type: "text/plain", content: "in the file" }],
		headers: "X-Special: yes\n",
	});
	await screen.open();
	await screen.read("All of it");
	await screen.frame.getByText("Rich words").waitFor();
	await eventually(async () => await screen.page.locator(".row.unread:not([hidden])").count() === 0, "it is read now");
	assert.match(await screen.text(".mail-people"), /App app@example\.com/);
	await screen.tab("Text");
	const link = screen.page.locator("#panel-text a");
	assert.equal(await link.getAttribute("href"), "https://example.com/plain");
	await screen.tab("Source");
	await screen.page.locator("#panel-source").getByText("class").waitFor();
	assert.match(await screen.text("#panel-source pre"), /<h1 class=big>Rich words<\/h1>/);
	await screen.tab("Headers");
	await screen.page.getByRole("row", { name: "X-Special yes" }).waitFor();
	await screen.tab("Raw");
	await screen.page.locator("#panel-raw pre").waitFor();
	assert.match(await screen.text("#panel-raw pre"), /X-Special: yes[\s\S]*Plain words/);
	await screen.tab("Attachments");
	const [download] = await Promise.all([screen.page.waitForEvent("download"),
		screen.page.getByRole("link", { name: "Download notes.txt" }).click()]);
	assert.equal(download.suggestedFilename(), "notes.txt");
	await screen.tab("SMTP");
	await screen.page.locator(".said-client", { hasText: "EHLO browser.test" }).waitFor();
	const [whole] = await Promise.all([screen.page.waitForEvent("download"), screen.press("s")]);
	assert.match(whole.suggestedFilename(), /\.eml$/);
	await context.clearCookies();
});

test("pictures inside a mail are shown", {}, async (screen) => {
	await send([
		"From: app@example.com", "To: you@example.com", "Subject: With a logo", "MIME-Version: 1.0",
		"Content-Type: multipart/related; boundary=r", "",
		"--r", "Content-Type: text/html", "", "<img src=\"cid:logo@app\">",
		"--r", "Content-Type: image/png", "Content-ID: <logo@app>", "Content-Disposition: inline; filename=logo.png",
		"Content-Transfer-Encoding: base64", "", PICTURE, "--r--", ""].join("\n"));
	await screen.open();
	await screen.read("With a logo");
	const loaded = (picture) => picture.complete && picture.naturalWidth;
	await eventually(async () => await screen.frame.locator("img").evaluate(loaded) === 1, "it is in the mail");
	await screen.tab("Attachments");
	await eventually(async () => await screen.page.locator(".file-picture img").evaluate(loaded) === 1, "and by itself");
});

test("codes and links are at hand", { permissions: ["clipboard-read", "clipboard-write"] }, async (screen) => {
	await send({ subject: "Sign in", text: "Your code is 482913.\n\nhttps://acme.example/signin?token=abc\n" });
	await screen.open();
	await screen.read("Sign in");
	await screen.page.getByRole("button", { name: "482913" }).click();
	assert.equal(await screen.page.evaluate(() => navigator.clipboard.readText()), "482913");
	await screen.page.getByText("1 link").click();
	await screen.page.getByRole("button", { name: "Copy the link" }).click();
	await eventually(async () => await screen.page.evaluate(() => navigator.clipboard.readText())
		=== "https://acme.example/signin?token=abc", "the link is copied");
});

test("search asks the server while one types", {}, async (screen) => {
	await send({ subject: "Apples", from: "ann@example.com" }, { subject: "Pears", from: "bob@example.com" },
		{ subject: "More apples", from: "bob@example.com" });
	await screen.open();
	await screen.shows("More apples", "Pears", "Apples");
	await screen.press("/");
	await screen.page.keyboard.type("apples");
	await screen.shows("More apples", "Apples");
	assert.match(await screen.text("#tools"), /2 messages found/);
	assert.match(screen.page.url(), /#q=apples$/);
	await screen.page.locator("#query").fill("apples -from:ann");
	await screen.shows("More apples");
	// Mail that comes meanwhile is shown when it is found.
	await send({ subject: "Green apples" }, { subject: "Plums" });
	await screen.shows("Green apples", "More apples");
	await screen.page.locator("#query").fill("quinces");
	await screen.page.getByText("Nothing found").waitFor();
	await screen.press("Escape", "Escape");
	await screen.shows("Plums", "Green apples", "More apples", "Pears", "Apples");
});

test("an address names a search and a message", {}, async (screen) => {
	await send({ subject: "Kept", text: "one" }, { subject: "Other" });
	await screen.open("search?query=subject%3AKept");
	await screen.shows("Kept");
	await screen.read("Kept");
	await screen.page.reload();
	await screen.reads("Kept");
	await screen.shows("Kept");
	await screen.open("view/latest");
	await screen.reads("Other");
});

test("the list is quick with many messages", {}, async (screen) => {
	const all = Array.from({ length: 230 }, (_, i) => mail({ subject: `Number ${i}` }));
	await send(...all);
	const asked = [];
	screen.page.on("request", (request) => /\/messages\?/.test(request.url()) && asked.push(request.url()));
	await screen.open();
	await eventually(async () => (await screen.subjects())[0] === "Number 229", "the newest is on top");
	assert.ok(await screen.page.locator(".row").count() < 60, "only what is seen is in the document");
	assert.equal(asked.length, 1, "one page is asked for");
	await screen.press("End");
	await eventually(async () => (await screen.subjects()).at(-1) === "Number 0", "the oldest is at the end");
	await screen.reads("Number 0");
	assert.ok(await screen.page.locator(".row").count() < 60, "and still");
	assert.ok(asked.every((url) => Number(new URL(url).searchParams.get("limit")) <= 100), "in pages");
	// Who reads further down keeps his place when mail comes.
	const before = await screen.subjects();
	await send({ subject: "One more" });
	await eventually(async () => /231 messages/.test(await screen.text("#tools")), "it is counted");
	assert.deepEqual((await screen.subjects()).slice(-5), before.slice(-5));
	await screen.press("Home");
	await screen.reads("One more");
});

test("the page comes back when the connection was lost", {}, async (screen) => {
	let cut = null, lost = false;
	await screen.page.routeWebSocket(/api\/events/, (socket) => {
		if (lost)
			return socket.close();
		const server = socket.connectToServer();
		cut = () => {
			socket.close();
			server.close();
		};
	});
	await screen.page.route(/api\/events/, (route) => route.abort());
	await screen.open();
	lost = true;
	cut();
	await screen.page.locator(".live[data-state=lost]").waitFor();
	await send({ subject: "Missed" });
	lost = false;
	await screen.page.locator("#live").click();
	await screen.page.locator(".live[data-state=live]").waitFor();
	await screen.shows("Missed");
});

test("events come where no WebSocket passes", {}, async (screen) => {
	await screen.page.routeWebSocket(/api\/events/, (socket) => socket.close());
	await screen.open();
	await send({ subject: "As a stream" });
	await screen.shows("As a stream");
});

test("failed sessions are shown", {}, async (screen) => {
	await screen.open();
	await refused(smtpPort);
	await screen.page.locator("#side").getByRole("button", { name: /Failed sessions \d/ }).waitFor();
	await screen.press("e");
	const session = screen.page.locator(".session").first();
	await session.locator("summary").click();
	await session.getByText("MAIL FROM:<app@example.com").waitFor();
});
