// SPDX-License-Identifier: ISC
// looks.mjs - widths, colours, and what those need who use no mouse or no screen.

import assert from "node:assert/strict";
import { api, eventually, send, test } from "./lab.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

function ground(page) {
	return page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3)
		.reduce((sum, part) => sum + Number(part), 0) / 3);
}

function overflow(page) {
	return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

test("dark as the system, or as one chooses", { colorScheme: "dark" }, async (screen) => {
	await screen.open();
	assert.ok(await ground(screen.page) < 60, "dark");
	await screen.press("D", "D");
	assert.ok(await ground(screen.page) > 200, "light is chosen");
	await screen.page.reload();
	assert.ok(await ground(screen.page) > 200, "and remembered");
	await screen.press("D");
	await eventually(async () => await ground(screen.page) < 60, "as the system again");
});

test("a mail is seen in dark colours", { colorScheme: null }, async (screen) => {
	await send({ subject: "Both", html: "<style>p{color:rgb(1,1,1)}@media (prefers-color-scheme:dark){p{color:rgb(2,2,2)}}</style>"
		+ "<p>Words</p>" });
	await screen.open();
	await screen.read("Both");
	const colour = () => screen.frame.locator("p").evaluate((p) => getComputedStyle(p).color);
	assert.equal(await colour(), "rgb(1, 1, 1)");
	await screen.page.getByRole("button", { name: "As a reader with dark colours sees it" }).click();
	await eventually(async () => await colour() === "rgb(2, 2, 2)", "it is dark");
});

test("a phone shows the list or the message", PHONE, async (screen) => {
	await send({ subject: "A subject that is much too long for the width of a phone, and goes on", html: "<p>Words</p>" },
		{ subject: "Short" });
	await screen.open();
	assert.equal(await overflow(screen.page), 0);
	assert.equal(await screen.page.locator("#reading").isVisible(), false);
	await screen.row("A subject").tap();
	await screen.frame.getByText("Words").waitFor();
	assert.equal(await screen.page.locator("#list").isVisible(), false);
	assert.equal(await overflow(screen.page), 0);
	await screen.page.goBack();
	await screen.row("Short").waitFor();
	await screen.row("Short").tap();
	await screen.reads("Short");
	await screen.page.getByRole("button", { name: "Back to the list" }).tap();
	await screen.row("Short").waitFor();
	await screen.page.locator("#menu").tap();
	await screen.page.locator("#side").getByRole("button", { name: "Unread" }).tap();
	await screen.page.getByText("Nothing found").waitFor();
});

test("a tablet has both, and the folders in a drawer", { viewport: { width: 900, height: 1100 } }, async (screen) => {
	await send({ subject: "Beside" });
	await screen.open();
	await screen.read("Beside");
	assert.ok(await screen.row("Beside").isVisible());
	assert.equal(await screen.page.locator("#side").isVisible(), false);
	await screen.page.locator("#menu").click();
	await screen.page.locator("#side").getByText("All mail").waitFor();
	await screen.press("Escape");
	await screen.page.locator("#side").waitFor({ state: "hidden" });
	assert.equal(await overflow(screen.page), 0);
});

test("everything has a name and none has two", {}, async (screen) => {
	await send({ subject: "Named", html: "<p>x</p>", files: [{ name: "a.txt", type: "text/plain", content: "x" }] });
	await screen.open();
	await screen.read("Named");
	for (const name of ["HTML", "Text", "Source", "Headers", "Raw", "Attachments", "SMTP"])
		await screen.tab(name);
	const nameless = await screen.page.$$eval("button, a[href], input, iframe, [role=listbox], [role=toolbar]", (all) =>
		all.filter((e) => !(e.getAttribute("aria-label") || e.title || e.innerText?.trim() || e.labels?.length))
			.map((e) => e.outerHTML));
	assert.deepEqual(nameless, []);
	const ids = await screen.page.$$eval("[id]", (all) => all.map(({ id }) => id));
	assert.equal(new Set(ids).size, ids.length, "ids are unique");
	const list = screen.page.locator("#list");
	const active = await list.getAttribute("aria-activedescendant");
	assert.match(await screen.page.locator(`#${active}`).getAttribute("aria-label"), /Named\. From App/);
	// By Tab alone one comes from the top to the message.
	await screen.page.evaluate(() => document.activeElement.blur());
	const stops = [];
	for (let i = 0; i < 30; i++) {
		await screen.press("Tab");
		stops.push(await screen.page.evaluate(() => document.activeElement.id || document.activeElement.className));
	}
	for (const stop of ["skip", "query", "list", "tab-smtp"])
		assert.ok(stops.includes(stop), `${stop} in ${stops}`);
	assert.ok(stops.indexOf("query") < stops.indexOf("list") && stops.indexOf("list") < stops.indexOf("tab-smtp"));
});

// WCAG 2.1, 1.4.3: 4.5 to 1
const PAIRS = [
	["text", "panel"], ["soft", "panel"], ["faint", "panel"], ["faint", "list"], ["faint", "ground"], ["faint", "accent-soft"],
	["faint", "hover"], ["soft", "list"], ["accent", "panel"], ["accent", "accent-soft"], ["on-accent", "accent"],
	["danger", "panel"], ["danger", "ground"], ["notice", "notice-soft"], ["good", "panel"], ["good", "code"],
	["panel", "danger"], ["accent", "ground"],
];

for (const colorScheme of ["light", "dark"])
	test(`${colorScheme} colours have contrast`, { colorScheme }, async (screen) => {
		await screen.open();
		const weak = await screen.page.evaluate((pairs) => {
			const style = getComputedStyle(document.documentElement);
			const light = (name) => {
				const hex = style.getPropertyValue(`--${name}`).trim().slice(1);
				const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
					.map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
				return 0.2126 * r + 0.7152 * g + 0.0722 * b;
			};
			return pairs.map(([front, back]) => {
				const [most, least] = [light(front), light(back)].sort((a, b) => b - a);
				return [front, back, (most + 0.05) / (least + 0.05)];
			}).filter(([, , ratio]) => !(ratio >= 4.5));
		}, PAIRS);
		assert.deepEqual(weak, []);
	});

test("who wants no motion gets none", { reducedMotion: "reduce" }, async (screen) => {
	await send({ subject: "Still" });
	await screen.open();
	await screen.press("?");
	const moving = await screen.page.$$eval("*", (all) => all.filter((e) => {
		const style = getComputedStyle(e);
		return style.animationName !== "none" || style.transitionDuration.split(",").some((time) => parseFloat(time) > 0);
	}).map((e) => e.outerHTML.slice(0, 80)));
	assert.deepEqual(moving, []);
	assert.ok((await (await api("api/v1/messages")).json()).total === 1);
});
