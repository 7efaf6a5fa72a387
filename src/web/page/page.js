// SPDX-License-Identifier: ISC
// page.js - the page: makes its parts and leads what happens in one to the others.
//
// Parts do not know each other. What all of them go by is here: the search (messages.query), the open
// message (reader.id), the row where the reader is (list.current), and what is picked.

import { api } from "./api.js";
import { Changes } from "./changes.js";
import { confirmed, openDialog } from "./dialog.js";
import { startDivider } from "./divider.js";
import { byId, fillIcons, setText } from "./dom.js";
import { Events } from "./events.js";
import { openHelp, startKeys } from "./keys.js";
import { List } from "./list.js";
import { Messages } from "./messages.js";
import { Notifier } from "./notify.js";
import { Reader } from "./reader.js";
import { openRelease } from "./release.js";
import { canGoBack, onRoute, readRoute, writeRoute } from "./route.js";
import { complain, say, speak } from "./say.js";
import { Search } from "./search.js";
import { openSessions } from "./sessions.js";
import { currentInbox, Side } from "./side.js";
import { editTags } from "./tags.js";
import { nextTheme, startTheme } from "./theme.js";
import { Tools } from "./tools.js";
import { nothingFound, welcome } from "./welcome.js";

// Who holds j down passes many messages; each would be marked as read.
const OPEN_PAUSE_MS = 140;
const SIDE_PAUSE_MS = 500;
const FAILED_AGAIN_MS = 4000;
// More than this is deleted only after a question.
const ASK_FROM = 10;

const picked = new Set();
let settings = null;        // api/v1/webui; null: not here yet
let inboxes = [];
let tags = {};              // name -> number of messages
let failedSessions = 0;
let version = null;
let openTimer = null;
let sideTimer = null;
let failedTimer = null;
let pickedLast = -1;        // where a range of picks begins

const messages = new Messages();
const events = new Events();
const changes = new Changes(messages);
const list = new List(messages, { isPicked: (id) => picked.has(id), clicked: rowClicked });
const side = new Side({ search, sessions, howToSend });
const box = new Search({ search, tags: () => Object.keys(tags), leave: () => list.focus() });
const notifier = new Notifier((id) => open(id));
const reader = new Reader({
	close: () => close(),
	next: () => step(1),
	previous: () => step(-1),
	markUnread: () => markUnread(),
	remove: () => remove(),
	release: () => release(),
	search,
	tags: () => Object.keys(tags),
	setTags: (wanted) => changes.setTags(reader.id, wanted).then(sideSoon),
});
const tools = new Tools({
	reload, pickAll, pickNone, readAll, removeAll,
	markRead: () => changes.markRead(targets(), true),
	markUnread: () => changes.markRead(targets(), false),
	tag: () => tag(),
	remove: () => remove(),
});

// What is shown -------------------------------------------------------------------------------

function isNarrow() {
	return matchMedia("(max-width: 759px)").matches;
}

// On a phone either the list or the message has the screen.
function setView(view) {
	document.documentElement.dataset.view = view;
}

function showState() {
	const { query, total, unread, all, loaded } = messages;
	// What is asked for is here within moments: words that come and go in between help nobody.
	if (loaded || picked.size > 0)
		tools.show({ query, total, unread, picked: picked.size, mayRemoveAll: !settings?.HideDeleteAllButton });
	side.show({ inboxes, tags, query, all, unread, failed: failedSessions });
	const inbox = currentInbox();
	const name = [settings?.Label, inbox === "default" ? null : inbox].filter(Boolean).join(" \u00b7 ");
	setText(byId("label"), name);
	byId("label").hidden = name === "";
	document.title = `${unread > 0 ? `(${unread}) ` : ""}${name ? `${name} \u00b7 ` : ""}Penstock`;
	byId("icon").setAttribute("href", unread > 0 ? "page/icon-unread.svg" : "page/icon.svg");
	if (loaded && settings !== null)
		showNothing(total === 0);
}

function showNothing(empty) {
	const nothing = byId("nothing"), kind = !empty ? "" : messages.query ? `q:${messages.query}` : "welcome";
	if (nothing.dataset.kind === kind)
		return;
	nothing.dataset.kind = kind;
	nothing.hidden = !empty;
	byId("list").hidden = empty;
	document.documentElement.toggleAttribute("data-empty", kind === "welcome");
	nothing.replaceChildren(...!empty ? [] :
		[messages.query ? nothingFound(messages.query, () => search("")) : welcome(settings)]);
}

async function loadSide() {
	const [info, boxes] = await Promise.all([api.info().catch(() => null), api.inboxes().catch(() => [])]);
	if (info !== null)
		tags = info.Tags ?? {};
	inboxes = boxes;
	showState();
}

async function countFailed() {
	failedSessions = (await api.sessions().catch(() => [])).length;
	showState();
}

// A refusal is told at once, but its session is kept when it ends.
function countFailedSoon() {
	clearTimeout(failedTimer);
	failedTimer = setTimeout(() => {
		countFailed();
		failedTimer = setTimeout(countFailed, FAILED_AGAIN_MS);
	}, SIDE_PAUSE_MS);
}

function sideSoon() {
	sideTimer ??= setTimeout(() => {
		sideTimer = null;
		loadSide();
	}, SIDE_PAUSE_MS);
}

// The list ------------------------------------------------------------------------------------

async function search(query) {
	if (query === messages.query && messages.loaded) {
		box.show(query);
		return;
	}
	box.show(query);
	pickNone();
	list.current = -1;
	list.top();
	writeRoute({ query, id: reader.id ?? "" }, true);
	try {
		await messages.open(query);
		list.current = messages.indexOf(reader.id);
		list.draw();
		if (query)
			speak(`${messages.total} found`);
	} catch (error) {
		complain(error);
	}
}

function reload() {
	messages.reload().then(() => say("Up to date"), complain);
	sideSoon();
}

async function goTo(index, pause = OPEN_PAUSE_MS) {
	index = Math.max(0, Math.min(index, messages.total - 1));
	if (messages.total === 0)
		return;
	list.go(index);
	if (isNarrow() && document.documentElement.dataset.view === "list")
		return;
	clearTimeout(openTimer);
	openTimer = setTimeout(async () => {
		const summary = await messages.get(index).catch(complain);
		if (summary && list.current === index)
			open(summary.ID, true);
	}, pause);
}

function step(by) {
	goTo(list.current < 0 ? 0 : list.current + by);
}

async function nextUnread() {
	for (let index = list.current + 1; index < messages.total; index++) {
		const summary = await messages.get(index);
		if (summary && !summary.Read)
			return goTo(index, 0);
		if (index - list.current > 1000)
			break;
	}
	say("No further unread message");
}

function rowClicked(index, id, event, onMark) {
	list.focus();
	if (event.shiftKey) {
		const from = pickedLast < 0 ? Math.max(0, list.current) : pickedLast;
		for (let i = Math.min(from, index); i <= Math.max(from, index); i++)
			if (messages.at(i))
				picked.add(messages.at(i).ID);
		list.go(index);
		getSelection()?.removeAllRanges();
		showState();
	} else if (event.ctrlKey || event.metaKey || onMark) {
		togglePick(index, id);
	} else {
		pickNone();
		list.go(index);
		open(id);
	}
}

function togglePick(index, id) {
	if (!picked.delete(id))
		picked.add(id);
	pickedLast = index;
	list.go(index);
	speak(picked.has(id) ? "Picked" : "Not picked");
	showState();
}

function pickAll() {
	for (let index = 0; index < messages.total; index++)
		if (messages.at(index))
			picked.add(messages.at(index).ID);
	list.draw();
	showState();
}

function pickNone() {
	pickedLast = -1;
	if (picked.size === 0)
		return;
	picked.clear();
	list.draw();
	showState();
}

// What an action is about: the picks, else the row, whose message may not be open yet; else the open
// message, when it is none of the list's.
function targets() {
	if (picked.size > 0)
		return [...picked];
	const id = list.current >= 0 ? messages.at(list.current)?.ID : reader.id;
	return id ? [id] : [];
}

// The message ---------------------------------------------------------------------------------

async function open(id, replace = false) {
	clearTimeout(openTimer);
	if (id === reader.id) {
		setView("message");
		return;
	}
	const wasOpen = reader.id !== null;
	setView("message");
	try {
		const message = await reader.open(id);
		if (message === undefined)
			return;
		writeRoute({ query: messages.query, id: message.ID }, replace || wasOpen);
		messages.updated({ ID: message.ID, Read: true });
		const index = messages.indexOf(message.ID);
		if (index >= 0 && index !== list.current)
			list.go(index);
		if (isNarrow())
			reader.focus();
	} catch (error) {
		complain(error.status === 404 ? "This message is gone." : error);
		close(true);
	}
}

function close(replace = false) {
	clearTimeout(openTimer);
	setView("list");
	list.focus();
	if (reader.id === null)
		return;
	reader.close();
	list.draw();
	if (!replace && canGoBack() && isNarrow())
		history.back();
	else
		writeRoute({ query: messages.query, id: "" }, true);
}

async function markUnread() {
	const ids = targets();
	if (reader.id !== null && ids.includes(reader.id) && isNarrow())
		close();
	if (await changes.markRead(ids, false) && ids.length > 0)
		speak("Marked as unread");
}

async function remove() {
	const ids = targets();
	if (ids.length === 0)
		return;
	if (ids.length >= ASK_FROM && !await confirmed("Delete", `${ids.length} messages will be gone.`,
		`Delete ${ids.length} messages`))
		return;
	const index = list.current, wasOpen = reader.id !== null && ids.includes(reader.id);
	picked.clear();
	pickedLast = -1;
	const removed = changes.remove(ids);
	list.current = Math.min(index, messages.total - 1);
	if (wasOpen && messages.total > 0 && list.current >= 0 && !isNarrow()) {
		reader.close();
		goTo(list.current, 0);
	} else if (wasOpen) {
		close(true);
	}
	showState();
	list.draw();
	if (await removed)
		speak(ids.length === 1 ? "Deleted" : `${ids.length} messages deleted`);
	sideSoon();
}

async function removeAll() {
	if (await changes.removeAll()) {
		pickNone();
		close(true);
		list.current = -1;
		sideSoon();
	}
}

async function readAll() {
	await changes.readAll();
	sideSoon();
}

function tag() {
	if (picked.size === 0 && reader.id !== null)
		return reader.editTags();
	const summaries = targets().map((id) => messages.summary(id)).filter(Boolean);
	if (summaries.length > 0)
		editTags(summaries, Object.keys(tags), async (added, gone) => {
			await changes.changeTags(summaries, added, gone);
			sideSoon();
		});
}

function release() {
	if (reader.message !== null)
		openRelease(reader.message, settings?.MessageRelay, (now) => reader.update(now));
}

function sessions() {
	openSessions();
}

function howToSend() {
	openDialog("How to send to this inbox", welcome(settings), { wide: true });
}

// Keys ----------------------------------------------------------------------------------------

function escape() {
	if (side.isOpen)
		side.toggle(false);
	else if (picked.size > 0)
		pickNone();
	else if (byId("reading").contains(document.activeElement) && !isNarrow())
		list.focus();
	else if (reader.id !== null)
		close();
	else if (messages.query)
		search("");
	list.focus();
}

function enter() {
	const summary = messages.at(list.current);
	if (summary === undefined)
		return;
	if (reader.id === summary.ID)
		reader.focus();
	else
		open(summary.ID);
}

function pick() {
	const index = Math.max(0, list.current), summary = messages.at(index);
	if (summary)
		togglePick(index, summary.ID);
}

const keyActions = {
	next: () => step(1),
	previous: () => step(-1),
	first: () => goTo(0),
	last: () => goTo(messages.total - 1),
	pageDown: () => goTo(list.current + list.rowsShown - 1),
	pageUp: () => goTo(list.current - list.rowsShown + 1),
	nextUnread: () => nextUnread().catch(complain),
	tabNext: () => reader.turnTab(1),
	tabPrevious: () => reader.turnTab(-1),
	tabAt: (event) => reader.chooseTab(Number(event.key) - 1),
	scroll: (event) => reader.message === null ? false : reader.scroll(event.shiftKey ? -1 : 1),
	copyFirst: () => reader.copyFirst(),
	save: () => byId("download")?.click(),
	openView: () => byId("view-open")?.click(),
	markRead: () => changes.markRead(targets(), true),
	theme: () => speak(nextTheme()),
	search: () => box.focus(),
	home: () => search(""),
	help: openHelp,
	enter, escape, pick, pickAll, readAll, reload, markUnread, remove, release, tag, sessions,
};

// Events --------------------------------------------------------------------------------------

const LIVE = {
	connecting: ["Connecting", "Connecting to the server"],
	live: ["Live", "New mail appears by itself"],
	lost: ["Offline", "The server does not answer; the page tries again. Press to try now."],
};

function showLive(state) {
	const live = byId("live"), [text, title] = LIVE[state];
	// It tries often and at once: only what lasts is worth a change of words.
	if (state === "connecting" && live.dataset.state === "lost")
		return;
	if (live.dataset.state === "lost" && state === "live")
		say("Connected again");
	if (state === "lost")
		speak("The connection to the server is lost");
	live.dataset.state = state;
	live.title = title;
	setText(live.querySelector(".live-text"), text);
}

let wasLive = false;

function listen() {
	events.addEventListener("state", ({ detail: state }) => {
		showLive(state);
		if (state === "live") {
			// What happened while nobody listened.
			if (wasLive)
				messages.reload().catch(complain);
			wasLive = true;
			loadSide();
			countFailed();
		}
	});
	events.addEventListener("mail-new", ({ detail: summary }) => {
		if (messages.arrived(summary))
			list.shift(1);
		notifier.arrived(summary);
		showState();
		sideSoon();
	});
	events.addEventListener("mail-update", ({ detail }) => {
		messages.updated(detail);
		if (detail.ID === reader.id && detail.Tags)
			reader.showTags(detail.Tags);
		sideSoon();
	});
	events.addEventListener("mail-delete", ({ detail }) => {
		messages.removed([detail.ID]);
		picked.delete(detail.ID);
		if (detail.ID === reader.id)
			close(true);
		sideSoon();
	});
	events.addEventListener("mail-truncate", () => {
		messages.emptied();
		pickNone();
		close(true);
		sideSoon();
	});
	events.addEventListener("mail-prune", () => {
		messages.reloadSoon();
		sideSoon();
	});
	events.addEventListener("mail-stats", ({ detail }) => {
		messages.counted(detail);
		// Another version of the server has another page.
		if (version !== null && detail.Version && detail.Version !== version)
			location.reload();
		version = detail.Version ?? version;
	});
	events.addEventListener("mail-error", ({ detail }) => {
		if (detail?.Message)
			complain(`SMTP: ${detail.Message}`);
		countFailedSoon();
	});
}

// Start ---------------------------------------------------------------------------------------

async function start() {
	const route = readRoute();
	fillIcons();
	startTheme();
	startDivider();
	startKeys(keyActions);
	messages.addEventListener("change", showState);
	byId("live").addEventListener("click", () => events.retry());
	byId("brand").addEventListener("click", (event) => {
		event.preventDefault();
		close(true);
		search("");
	});
	byId("skip").addEventListener("click", (event) => {
		event.preventDefault();
		list.focus();
	});
	onRoute(({ query, id }) => {
		if (query !== messages.query)
			search(query);
		if (id)
			open(id, true);
		else
			close(true);
	});
	listen();
	events.start();
	box.show(route.query);
	const opened = messages.open(route.query).catch(complain);
	settings = await api.settings().catch(() => ({}));
	await opened;
	showState();
	list.focus();
	if (route.id)
		open(route.id, true);
}

start();
