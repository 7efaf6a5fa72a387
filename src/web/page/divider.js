// SPDX-License-Identifier: ISC
// divider.js - the line between list and message: drawn with a pointer or moved with the arrow keys.

import { byId } from "./dom.js";
import { remember, remembered } from "./settings.js";

const LEAST = 280, MOST = 760, STEP = 24;   // px

export function startDivider() {
	const divider = byId("divider"), panes = byId("panes");
	const listing = panes.querySelector(".listing");

	function set(width) {
		width = Math.round(Math.max(LEAST, Math.min(MOST, width)));
		panes.style.setProperty("--listing", `${width}px`);
		divider.setAttribute("aria-valuenow", String(width));
		return width;
	}

	divider.setAttribute("aria-valuemin", String(LEAST));
	divider.setAttribute("aria-valuemax", String(MOST));
	const before = Number(remembered("listing"));
	if (before > 0)
		set(before);
	else
		divider.setAttribute("aria-valuenow", String(Math.round(listing.offsetWidth)));

	divider.addEventListener("pointerdown", (event) => {
		event.preventDefault();
		divider.setPointerCapture(event.pointerId);
		panes.classList.add("dragging");
	});
	divider.addEventListener("pointermove", (event) => {
		if (divider.hasPointerCapture(event.pointerId))
			set(event.clientX - listing.getBoundingClientRect().left);
	});
	divider.addEventListener("lostpointercapture", () => {
		panes.classList.remove("dragging");
		remember("listing", divider.getAttribute("aria-valuenow"));
	});
	divider.addEventListener("keydown", (event) => {
		const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
		if (by === undefined)
			return;
		event.preventDefault();
		remember("listing", String(set(listing.offsetWidth + by)));
	});
	divider.addEventListener("dblclick", () => {
		panes.style.removeProperty("--listing");
		remember("listing", null);
	});
}
