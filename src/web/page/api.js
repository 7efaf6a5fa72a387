// SPDX-License-Identifier: ISC
// api.js - the calls to the server, one function each. All addresses are relative to the page's
// own, which is how base paths and /inbox/NAME/ work without being known here.

const base = new URL("./", document.baseURI);
// What belongs to no inbox is above them.
const root = new URL(/\/inbox\/[^/]+\/$/.test(base.pathname) ? "../../" : "./", base);

export function address(path) {
	return new URL(path, base).href;
}

// What a call that went wrong throws; its message is for people.
export class CallFailed extends Error {
	constructor(message, status = 0) {
		super(message);
		this.status = status;
	}
}

async function call(path, options = {}) {
	let response;
	try {
		response = await fetch(address(path), { cache: "no-store", ...options });
	} catch (error) {
		if (error.name === "AbortError")
			throw error;
		throw new CallFailed("The server does not answer.");
	}
	if (!response.ok)
		throw new CallFailed(await reason(response), response.status);
	return response;
}

async function reason(response) {
	const text = (await response.text().catch(() => "")).trim().slice(0, 400);
	try {
		const value = JSON.parse(text);
		return String(value.Error ?? value.error ?? text);
	} catch {
		return text || `The server answered ${response.status}.`;
	}
}

async function json(path, options) {
	return (await call(path, options)).json();
}

function change(method, path, body) {
	const options = { method };
	if (body !== undefined) {
		options.headers = { "Content-Type": "application/json" };
		options.body = JSON.stringify(body);
	}
	return call(path, options);
}

const id = encodeURIComponent;
// Search terms such as before: mean days, and days are where the reader is.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

function found(query) {
	return `api/v1/search?${new URLSearchParams({ query, tz: zone })}`;
}

export const api = {
	messages(query, start, limit, signal) {
		const page = `start=${start}&limit=${limit}`;
		return json(query ? `${found(query)}&${page}` : `api/v1/messages?${page}`, { signal });
	},
	message: (which, signal) => json(`api/v1/message/${id(which)}`, { signal }),
	headers: (which, signal) => json(`api/v1/message/${id(which)}/headers`, { signal }),
	dialogue: (which, signal) => json(`api/v1/message/${id(which)}/dialogue`, { signal }),
	// The response itself: what is raw may be large and is read in pieces.
	raw: (which, signal) => call(`api/v1/message/${id(which)}/raw`, { signal }),
	rawAddress: (which) => address(`api/v1/message/${id(which)}/raw?dl=1`),
	partAddress: (which, part) => address(`api/v1/message/${id(which)}/part/${id(part)}`),
	viewAddress: (which, kind, options = "") => address(`view/${id(which)}.${kind}${options}`),

	markRead: (IDs, Read) => change("PUT", "api/v1/messages", { IDs, Read }),
	markFound: (Search, Read) =>
		change("PUT", `api/v1/messages?${new URLSearchParams({ tz: zone })}`, { Search, Read }),
	// An empty list would mean all of them: who wants that says so.
	remove: (IDs) => IDs.length === 0 ? Promise.resolve() : change("DELETE", "api/v1/messages", { IDs }),
	removeAll: () => change("DELETE", "api/v1/messages"),
	removeFound: (query) => change("DELETE", found(query)),

	tags: () => json("api/v1/tags"),
	setTags: (IDs, Tags) => change("PUT", "api/v1/tags", { IDs, Tags }),
	renameTag: (tag, Name) => change("PUT", `api/v1/tags/${id(tag)}`, { Name }),
	removeTag: (tag) => change("DELETE", `api/v1/tags/${id(tag)}`),

	release: (which, To) => change("POST", `api/v1/message/${id(which)}/release`, { To }),
	send: (mail) => change("POST", "api/v1/send", mail).then((response) => response.json()),

	info: () => json("api/v1/info"),
	settings: () => json("api/v1/webui"),
	inboxes: () => json(new URL("api/v1/inboxes", root)),
	sessions: () => json(new URL("api/v1/sessions", root)),
};
