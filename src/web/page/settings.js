// SPDX-License-Identifier: ISC
// settings.js - what this browser remembers; where storage is forbidden, nothing.

const PREFIX = "penstock.";

export function remembered(name, fallback = null) {
	try {
		return localStorage.getItem(PREFIX + name) ?? fallback;
	} catch {
		return fallback;
	}
}

export function remember(name, value) {
	try {
		if (value === null)
			localStorage.removeItem(PREFIX + name);
		else
			localStorage.setItem(PREFIX + name, value);
	} catch {
		// It is as it is until the page is closed.
	}
}
