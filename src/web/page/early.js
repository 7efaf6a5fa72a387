// SPDX-License-Identifier: ISC
// early.js - the chosen colours before the first paint; theme.js does the rest.
"use strict";
try {
	const chosen = localStorage.getItem("penstock.theme");
	if (chosen === "dark" || chosen === "light")
		document.documentElement.dataset.theme = chosen;
} catch {
	// Storage is forbidden here: the system's colours it is.
}
