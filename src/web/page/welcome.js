// SPDX-License-Identifier: ISC
// welcome.js - the empty inbox: how to send a first mail to it, from what people use.

import { api } from "./api.js";
import { button, h, icon } from "./dom.js";
import { complain, copy, say } from "./say.js";
import { remember, remembered } from "./settings.js";

const SAMPLES = {
	curl: ({ host, port }) => `curl smtp://${host}:${port} --crlf --mail-from app@example.com \\
  --mail-rcpt you@example.com --upload-file - <<END
From: app@example.com
To: you@example.com
Subject: Hello

It works.
END`,
	Python: ({ host, port }) => `import smtplib
from email.message import EmailMessage

mail = EmailMessage()
mail["From"] = "app@example.com"
mail["To"] = "you@example.com"
mail["Subject"] = "Hello"
mail.set_content("It works.")

with smtplib.SMTP("${host}", ${port}) as smtp:
    smtp.send_message(mail)`,
	Node: ({ host, port }) => `// npm install nodemailer
import nodemailer from "nodemailer";

const transport = nodemailer.createTransport({ host: "${host}", port: ${port} });
await transport.sendMail({
  from: "app@example.com",
  to: "you@example.com",
  subject: "Hello",
  text: "It works.",
});`,
	PHP: ({ host, port }) => `; php.ini, for mail()
sendmail_path = "penstock sendmail -t -i"

; Laravel, .env
MAIL_MAILER=smtp
MAIL_HOST=${host}
MAIL_PORT=${port}

; Symfony, .env
MAILER_DSN=smtp://${host}:${port}`,
	Rails: ({ host, port }) => `# config/environments/development.rb
config.action_mailer.delivery_method = :smtp
config.action_mailer.smtp_settings = { address: "${host}", port: ${port} }`,
	Django: ({ host, port }) => `# settings.py
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "${host}"
EMAIL_PORT = ${port}`,
};

// Where programs find it: what the server listens on, seen from where this page came.
export function smtpPlace(settings) {
	const given = settings?.SMTP ?? {};
	const everywhere = ["", "0.0.0.0", "::", "[::]"].includes(given.Address ?? "");
	return { host: everywhere ? location.hostname : given.Address, port: given.Port || 1025 };
}

const TEST_MAIL = {
	From: { Name: "Penstock", Email: "hello@penstock.example" },
	To: [{ Name: "You", Email: "you@example.com" }],
	Subject: "It works",
	Text: "This mail came through the API.\n\nWhatever your application sends to this inbox appears here, and nowhere else.\n",
	HTML: "<!DOCTYPE html><html><body style=\"font: 16px/1.6 sans-serif; color: #1c2733; max-width: 36em; margin: 2em auto;"
		+ " padding: 0 1.5em\"><h1 style=\"font-size: 24px; color: #0b6b88\">It works</h1><p>This mail came through the API.</p>"
		+ "<p>Whatever your application sends to this inbox appears here, <b>and nowhere else</b>.</p></body></html>",
	Tags: ["welcome"],
};

async function sendTest() {
	try {
		await api.send(TEST_MAIL);
		say("Sent");
	} catch (error) {
		complain(error);
	}
}

export function welcome(settings) {
	const place = smtpPlace(settings);
	const sample = h("pre", { class: "code-text boxed", tabindex: "0" });
	const tabs = h("div", { "class": "tabs", "role": "tablist", "aria-label": "Language" });
	const names = Object.keys(SAMPLES);
	const choose = (name) => {
		sample.textContent = SAMPLES[name](place);
		for (const tab of tabs.children) {
			tab.setAttribute("aria-selected", String(tab.textContent === name));
			tab.tabIndex = tab.textContent === name ? 0 : -1;
		}
		remember("language", name);
	};
	tabs.append(...names.map((name) => h("button", { type: "button", class: "tab", role: "tab",
		onclick: () => choose(name) }, name)));
	tabs.addEventListener("keydown", (event) => {
		const at = names.indexOf(tabs.querySelector("[aria-selected=true]").textContent);
		const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (by === undefined)
			return;
		const to = (at + by + names.length) % names.length;
		choose(names[to]);
		tabs.children[to].focus();
	});
	choose(names.includes(remembered("language")) ? remembered("language") : names[0]);
	return h("div", { class: "welcome" },
		h("div", { class: "welcome-picture", "aria-hidden": "true" }, icon("inbox")),
		h("h2", {}, "No mail yet"),
		h("p", {}, "Send mail to ", h("code", { class: "place" }, `${place.host}:${place.port}`),
			", any login or none. It is caught here and goes nowhere else."),
		tabs,
		h("div", { class: "sample" }, sample,
			button({ label: "Copy", name: "copy", class: "quiet sample-copy", onclick: () => copy(sample.textContent, "Sample") })),
		h("div", { class: "welcome-actions" },
			h("button", { type: "button", class: "button primary", onclick: sendTest }, icon("send"),
				h("span", {}, "Send a test mail"))));
}

export function nothingFound(query, clear) {
	return h("div", { class: "welcome" },
		h("div", { class: "welcome-picture", "aria-hidden": "true" }, icon("search")),
		h("h2", {}, "Nothing found"),
		h("p", {}, "No message matches ", h("code", { class: "place" }, query), "."),
		h("div", { class: "welcome-actions" },
			h("button", { type: "button", class: "button", onclick: clear }, "Show all mail")));
}
