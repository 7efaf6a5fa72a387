// SPDX-License-Identifier: ISC
// list.js - the list on the screen: a few rows that move, whatever the number of messages.
//
// A listbox whose focus stays on the box; aria-activedescendant names the row where the reader is.
// What is picked, and which message is open, belongs to others: they tell by `isPicked` and `current`.

import { byId, h } from "./dom.js";
import { Row } from "./row.js";

const SPARE = 6;                // rows above and below what is seen
// Browsers end at some height; a longer list scrolls in greater steps.
const HEIGHT_MOST = 8_000_000;  // px
const TICK_MS = 30000;

export class List {
	current = -1;       // the row where the reader is
	#box = byId("list");
	#space = h("div", { class: "list-space", role: "presentation" });
	#rows = new Map();      // index -> Row
	#spare = [];
	#rowHeight = 0;
	#drawn = false;
	#messages;
	#hooks;

	// hooks: isPicked(id); clicked(index, id, event, on its mark)
	constructor(messages, hooks) {
		this.#messages = messages;
		this.#hooks = hooks;
		this.#box.append(this.#space);
		this.#box.addEventListener("scroll", () => this.draw(), { passive: true });
		this.#box.addEventListener("click", (event) => this.#clicked(event));
		new ResizeObserver(() => this.#measure()).observe(this.#box);
		setInterval(() => this.#rows.forEach((row) => row.tick()), TICK_MS);
		messages.addEventListener("change", () => this.draw());
		this.#measure();
	}

	get rowsShown() {
		return Math.max(1, Math.floor(this.#box.clientHeight / this.#rowHeight));
	}

	focus() {
		this.#box.focus({ preventScroll: true });
	}

	// At the next frame, however many times it is asked for.
	draw() {
		if (this.#drawn)
			return;
		this.#drawn = true;
		requestAnimationFrame(() => {
			this.#drawn = false;
			this.#draw();
		});
	}

	// New mail came on top: who reads further down, or has a message open, keeps his place.
	shift(by) {
		if (this.current >= 0)
			this.current += by;
		if (this.#box.scrollTop > this.#rowHeight / 2) {
			this.#space.style.height = `${this.#height()}px`;
			this.#box.scrollTop += by * this.#rowHeight / this.#scale();
		}
		this.draw();
	}

	go(index) {
		this.current = Math.max(-1, Math.min(index, this.#messages.total - 1));
		if (this.current >= 0)
			this.reveal(this.current);
		this.draw();
	}

	reveal(index) {
		const view = this.#box.clientHeight, top = index * this.#rowHeight;
		const seen = this.#box.scrollTop * this.#scale();
		if (top < seen)
			this.#box.scrollTop = top / this.#scale();
		else if (top + this.#rowHeight > seen + view)
			this.#box.scrollTop = (top + this.#rowHeight - view) / this.#scale();
	}

	top() {
		this.#box.scrollTop = 0;
	}

	#measure() {
		const height = parseFloat(getComputedStyle(this.#box).getPropertyValue("--row"));
		if (height !== this.#rowHeight) {
			this.#rowHeight = height;
			this.#rows.forEach((row) => this.#release(row));
		}
		this.draw();
	}

	#height() {
		return Math.min(this.#messages.total * this.#rowHeight, HEIGHT_MOST);
	}

	// Pixels of the list for one of the scroll bar: 1 but for very long lists.
	#scale() {
		const view = this.#box.clientHeight, whole = this.#messages.total * this.#rowHeight;
		return whole <= HEIGHT_MOST ? 1 : (whole - view) / (HEIGHT_MOST - view);
	}

	#draw() {
		const { total } = this.#messages, view = this.#box.clientHeight;
		if (view === 0)
			return;
		this.#space.style.height = `${this.#height()}px`;
		const scrolled = this.#box.scrollTop, seen = scrolled * this.#scale();
		const first = Math.max(0, Math.floor(seen / this.#rowHeight) - SPARE);
		const last = Math.min(total - 1, Math.ceil((seen + view) / this.#rowHeight) + SPARE);
		for (const [index, row] of this.#rows)
			if (index < first || index > last)
				this.#release(row);
		for (let index = first; index <= last; index++)
			this.#show(index, index * this.#rowHeight - seen + scrolled);
		this.#messages.look(first, Math.max(first, last));
		this.#name();
	}

	#show(index, top) {
		let row = this.#rows.get(index);
		if (row === undefined) {
			row = this.#spare.pop() ?? new Row();
			this.#rows.set(index, row);
			if (!row.element.isConnected)
				this.#space.append(row.element);
		}
		const summary = this.#messages.at(index);
		row.element.style.transform = `translateY(${top}px)`;
		row.show(index, summary, {
			total: this.#messages.total,
			isCurrent: index === this.current,
			isPicked: summary !== undefined && this.#hooks.isPicked(summary.ID),
		});
	}

	#release(row) {
		this.#rows.delete(row.index);
		row.leave();
		this.#spare.push(row);
	}

	#name() {
		if (this.#rows.has(this.current))
			this.#box.setAttribute("aria-activedescendant", `row-${this.current}`);
		else
			this.#box.removeAttribute("aria-activedescendant");
	}

	#clicked(event) {
		const element = event.target.closest(".row");
		for (const row of this.#rows.values())
			if (row.element === element && row.id !== undefined)
				this.#hooks.clicked(row.index, row.id, event, event.target.closest(".row-pick") !== null);
	}
}
