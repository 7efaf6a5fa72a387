// SPDX-License-Identifier: ISC
// text.js - values as people read them: times, sizes, addresses, and what peers wrote made visible.

// Controls, and marks that turn the direction of writing: a file "gpj.exe" shall not read "exe.jpg".
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

// The lines of a peer's text.
export function visibleLines(text) {
	return String(text ?? "").split(/\r?\n/).map(visible).join("\n");
}

// One line of a peer's text, with nothing in it that acts on the text around it.
export function visible(text) {
	return String(text ?? "").replace(/[\t\n]+/g, " ").replace(HIDDEN, "\ufffd");
}

const sizes = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat();

export function number(n) {
	return whole.format(n);
}

export function count(n, one, many = `${one}s`) {
	return `${number(n)} ${n === 1 ? one : many}`;
}

export function size(octets) {
	if (octets < 1000)
		return `${number(octets ?? 0)}\u00a0B`;
	for (const unit of ["kB", "MB"]) {
		octets /= 1000;
		if (octets < 1000)
			return `${octets < 10 ? sizes.format(octets) : number(Math.round(octets))}\u00a0${unit}`;
	}
	return `${sizes.format(octets / 1000)}\u00a0GB`;
}

const formats = {
	time: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }),
	weekday: new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" }),
	day: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" }),
	date: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
	full: new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" }),
	message: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" }),
};
const DAY = 86400000;

function parsed(time) {
	const date = new Date(time);
	return Number.isNaN(date.getTime()) || date.getFullYear() < 1971 ? null : date;
}

// In a list: short, and shorter the nearer it is.
export function ago(time, now = new Date()) {
	const date = parsed(time);
	if (date === null)
		return "";
	const age = now - date;
	if (age > -60000 && age < 60000)
		return "now";
	if (age > 0 && age < 3600000)
		return `${Math.floor(age / 60000)} min`;
	if (date.toDateString() === now.toDateString())
		return formats.time.format(date);
	if (age > 0 && age < 6 * DAY)
		return formats.weekday.format(date);
	return (date.getFullYear() === now.getFullYear() ? formats.day : formats.date).format(date);
}

// "5 min ago", as long as that says more than the time itself.
export function lately(time) {
	const said = ago(time);
	return said === "now" ? "just now" : said.endsWith(" min") ? `${said} ago` : "";
}

export function fullTime(time) {
	const date = parsed(time);
	return date === null ? visible(time) : formats.full.format(date);
}

export function messageTime(time) {
	const date = parsed(time);
	return date === null ? visible(time) : formats.message.format(date);
}

export function personName(address) {
	return visible(address?.Name || address?.Address || "");
}

export function personFull(address) {
	const name = visible(address?.Name), mailbox = visible(address?.Address);
	return name ? `${name} <${mailbox}>` : mailbox;
}

// Is it safe as the address of a link? Whatever else a mail calls a link is shown as text.
export function isWebLink(url) {
	return /^https?:\/\/[^\s]+$/i.test(url);
}
