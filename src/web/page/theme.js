// SPDX-License-Identifier: ISC
// theme.js - the system's colours, or dark, or light: one button goes round.

import { byId, setIcon } from "./dom.js";
import { remember, remembered } from "./settings.js";

const CHOICES = {
	"": { icon: "half", says: "Colours: as the system" },
	"light": { icon: "sun", says: "Colours: light" },
	"dark": { icon: "moon", says: "Colours: dark" },
};
const ORDER = ["", "dark", "light"];

function chosen() {
	const value = remembered("theme", "");
	return value in CHOICES ? value : "";
}

function apply() {
	const choice = chosen(), { icon, says } = CHOICES[choice];
	if (choice)
		document.documentElement.dataset.theme = choice;
	else
		delete document.documentElement.dataset.theme;
	setIcon(byId("theme"), icon);
	byId("theme").title = `${says} (D)`;
	byId("theme").setAttribute("aria-label", says);
}

export function nextTheme() {
	remember("theme", ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length] || null);
	apply();
	return CHOICES[chosen()].says;
}

export function startTheme() {
	byId("theme").addEventListener("click", nextTheme);
	addEventListener("storage", apply);
	apply();
}
