// SPDX-License-Identifier: ISC
// lab.mjs - what the tests of the page share: a browser, an empty inbox for each test, mails, and
// conditions that are waited for.

import assert from "node:assert/strict";
import { submit } from "./smtp.mjs";

export const base = process.env.PAGE;
export const smtpPort = Number(process.env.SMTP);
const PATIENCE_MS = 15000;

const tests = [];
let browser;

// Registers one. Options are those of a browser's context: viewport, colorScheme ...
export function test(name, options, run) {
	tests.push({ name, options, run });
}

export async function launch() {
	const { chromium } = await import(`${process.env.CLIENTS}/node_modules/playwright-core/index.mjs`);
	browser = await chromium.launch({
		executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
		args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync",
			// Nothing but this machine has an address.
			"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"],
	});
	return browser;
}

// One mail of plain text, HTML, both, or with files.
export function mail({ subject = "Hello", from = "App <app@example.com>", to = "You <you@example.com>", text, html,
	files = [], headers = "" }) {
	const parts = [];
	if (text !== undefined || html === undefined)
		parts.push(`Content-Type: text/plain; charset=utf-8\n\n${text ?? "It works."}`);
	if (html !== undefined)
		parts.push(`Content-Type: text/html; charset=utf-8\n\n${html}`);
	for (const { name, type, content } of files)
		parts.push(`Content-Type: ${type}\nContent-Disposition: attachment; filename="${name}"\n\n${content}`);
	const head = `From: ${from}\nTo: ${to}\nSubject: ${subject}\nDate: Sun, 22 Nov 2026 10:00:00 +0000\n`
		+ `MIME-Version: 1.0\n${headers}`;
	if (parts.length === 1)
		return head + parts[0];
	const kind = files.length > 0 ? "mixed" : "alternative";
	return `${head}Content-Type: multipart/${kind}; boundary="=-part-="\n\n`
		+ `${parts.map((part) => `--=-part-=\n${part}\n`).join("")}--=-part-=--\n`;
}

export function send(...mails) {
	return submit(smtpPort, mails.map((one) => typeof one === "string" ? one : mail(one)));
}

export async function api(path, options) {
	const response = await fetch(new URL(path, base), options);
	assert.equal(response.status, 200, `${options?.method ?? "GET"} ${path}: ${await response.clone().text()}`);
	return response;
}

export function sendTo(recipient, one) {
	return submit(smtpPort, [mail(one)], { to: [recipient] });
}

// As soon as it holds; never after a time.
export async function eventually(condition, what) {
	const end = Date.now() + PATIENCE_MS;
	for (let problem; ; await new Promise((resolve) => setTimeout(resolve, 25))) {
		try {
			const value = await condition();
			if (value)
				return value;
			problem = null;
		} catch (error) {
			problem = error;
		}
		if (Date.now() > end)
			throw new Error(`still not: ${what}${problem ? `: ${problem.message}` : ""}`);
	}
}

// What a test may do with the page it got.
export class Screen {
	errors = [];

	constructor(page) {
		this.page = page;
		page.setDefaultTimeout(PATIENCE_MS);
		page.on("pageerror", (error) => this.errors.push(String(error.stack ?? error)));
	}

	async open(path = "") {
		await this.page.goto(new URL(path, base).href);
		await this.page.locator(".live[data-state=live]").waitFor();
		await this.page.locator("#tools > *").first().waitFor({ state: "attached" });
	}

	text(selector) {
		return this.page.locator(selector).first().innerText();
	}

	// Subjects of the rows that are seen, from the top.
	subjects() {
		return this.page.$$eval(".row:not([hidden])", (rows) => rows
			.sort((a, b) => Number(a.getAttribute("aria-posinset")) - Number(b.getAttribute("aria-posinset")))
			.map((row) => row.querySelector(".row-subject").textContent));
	}

	shows(...subjects) {
		return eventually(async () => {
			assert.deepEqual(await this.subjects(), subjects);
			return true;
		}, `the list is ${subjects}`);
	}

	row(subject) {
		return this.page.locator(".row:not([hidden])", { hasText: subject }).first();
	}

	async read(subject) {
		await this.row(subject).click();
		await this.reads(subject);
	}

	reads(subject) {
		return eventually(async () => await this.page.locator(".mail-subject").isVisible()
			&& await this.text(".mail-subject") === subject, `${subject} is open`);
	}

	tab(name) {
		return this.page.getByRole("tab", { name }).click();
	}

	press(...keys) {
		return keys.reduce((before, key) => before.then(() => this.page.keyboard.press(key)), Promise.resolve());
	}

	// Inside the frame of the mail.
	get frame() {
		return this.page.frameLocator(".mail-frame");
	}
}

async function emptyAll() {
	const inboxes = await (await api("api/v1/inboxes")).json();
	await api("api/v1/messages", { method: "DELETE" });
	for (const { Name } of inboxes.filter((inbox) => inbox.Name !== "default"))
		await api(`inbox/${Name}/api/v1/messages`, { method: "DELETE" });
}

async function runOne({ options, run }) {
	await emptyAll();
	const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 800 }, ...options });
	try {
		const screen = new Screen(await context.newPage());
		await run(screen, context);
		assert.deepEqual(screen.errors, [], "errors of scripts");
	} finally {
		await context.close();
	}
}

// Runs all whose name has the text; each says in a line of JSON how it ended.
export async function runAll(part = "") {
	for (const one of tests) {
		if (!one.name.includes(part))
			continue;
		const begun = Date.now();
		let error = null;
		try {
			await runOne(one);
		} catch (problem) {
			error = String(problem.stack ?? problem);
		}
		console.log(JSON.stringify({ name: one.name, error, ms: Date.now() - begun }));
	}
}
