// SPDX-License-Identifier: ISC
// dom.js - how all of the page is made: elements with text in them, never markup from text.
//
// What a mail contains comes in as a string and ends as a text node or as an attribute that runs
// nothing. There is no innerHTML in this page, and its policy forbids it.

const SVG = "http://www.w3.org/2000/svg";

// Strokes in a square of 24.
const ICONS = {
	"menu": "M4 7h16M4 12h16M4 17h16",
	"search": "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.2 16.2 20.5 20.5",
	"cross": "M6 6l12 12M18 6L6 18",
	"bell": "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 20.5h4",
	"bell-off": "M6 16.5V11c0-1 .2-2 .7-2.8M9 5.8A6 6 0 0 1 18 11v3M4.5 18H18M10 20.5h4M4 4l16 16",
	"sun": "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
	"moon": "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
	"half": "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 3.5v17M12 7h5.5M12 11h7.5M12 15h7",
	"keyboard": "M3.5 6.5h17v11h-17zM7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M7 14h.01M17 14h.01M10 14h4",
	"inbox": "M4 13.5 6.5 5h11L20 13.5V19H4zM4 13.5h4.5l1.2 2.5h4.6l1.2-2.5H20",
	"unread": "M4 6h16v12H4zM4 7l8 6.5L20 7",
	"read": "M4 10.5 12 5l8 5.5V19H4zM4 11l8 5 8-5",
	"clip": "M18.5 11.5 12 18a4 4 0 0 1-5.7-5.7l7-7a2.7 2.7 0 0 1 3.8 3.8l-6.9 6.9a1.3 1.3 0 0 1-1.9-1.9l6-6",
	"tag": "M4 4.5h7.5L20 13l-7 7-8.5-8.5zM8 8.5h.01",
	"trash": "M5 7h14M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10.5 10.5v6M13.5 10.5v6",
	"back": "M14.5 5.5 8 12l6.5 6.5",
	"up": "M5.5 14.5 12 8l6.5 6.5",
	"down": "M5.5 9.5 12 16l6.5-6.5",
	"right": "M9.5 5.5 16 12l-6.5 6.5",
	"send": "M4 12 20 4.5 15.5 20l-4-6.5zM11.5 13.5 20 4.5",
	"save": "M12 4v11M7.5 11 12 15.5 16.5 11M5 19.5h14",
	"refresh": "M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4.5V9H15",
	"check": "M5 12.5l4.5 4.5L19 7.5",
	"check-box": "M5 5h14v14H5zM8.5 12l2.5 2.5 4.5-5",
	"check-all": "M2.5 12.5 7 17l9-9.5M12 16l1 1 8.5-9.5",
	"copy": "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
	"open": "M13 5h6v6M19 5l-8.5 8.5M17 14v5H5V7h5",
	"link": "M10 14a3.5 3.5 0 0 0 5 0l3.5-3.5a3.5 3.5 0 0 0-5-5L12 7M14 10a3.5 3.5 0 0 0-5 0l-3.5 3.5a3.5 3.5 0 0 0 5 5L12 17",
	"key": "M15.5 4a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM12.3 11.7 4.5 19.5M7 17l2.5 2.5",
	"image": "M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 17M15.5 9h.01",
	"file": "M6 3.5h8L18.5 8v12.5H6zM14 3.5V8h4.5",
	"phone": "M8 3.5h8v17H8zM11.5 17.5h1",
	"tablet": "M5.5 3.5h13v17h-13zM11.5 17.5h1",
	"desktop": "M3.5 5h17v11h-17zM9 19.5h6M12 16v3.5",
	"warning": "M12 4.5 21 19.5H3zM12 10v4.5M12 17h.01",
	"dialogue": "M4 5h16v11H10l-4 3.5V16H4z",
	"filter": "M4 6h16M7 12h10M10.5 18h3",
};

// An element. Attributes: `class`, on... (a listener), `data-...`; false and null leave one out.
// Children: elements, texts, lists of those; false and null are nothing.
export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value === false || value === null || value === undefined)
			continue;
		if (name.startsWith("on"))
			element.addEventListener(name.slice(2), value);
		else
			element.setAttribute(name, value === true ? "" : String(value));
	}
	element.append(...children.flat(Infinity).filter(present));
	return element;
}

function present(child) {
	return child !== null && child !== undefined && child !== false;
}

export function icon(name) {
	const svg = document.createElementNS(SVG, "svg");
	const path = document.createElementNS(SVG, "path");
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("class", "icon");
	svg.setAttribute("aria-hidden", "true");
	path.setAttribute("d", ICONS[name]);
	svg.append(path);
	return svg;
}

// A button with a picture. `label` is read out and shown as its tip, with the key that does the
// same; `text` stands beside the picture.
export function button({ label, name, text, key, onclick, ...others }) {
	return h("button", {
		"type": "button",
		"title": label && (key ? `${label} (${key})` : label),
		"aria-label": text ? null : label,
		"aria-keyshortcuts": key,
		"class": text ? "button" : "quiet",
		onclick,
		...others,
	}, name && icon(name), text && h("span", {}, text));
}

export function byId(id) {
	return document.getElementById(id);
}

export function setIcon(element, name) {
	element.querySelector("svg.icon")?.remove();
	element.prepend(icon(name));
}

export function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

// The buttons that are in index.html already.
export function fillIcons() {
	for (const element of document.querySelectorAll("[data-icon]"))
		setIcon(element, element.dataset.icon);
}
