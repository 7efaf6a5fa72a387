// SPDX-License-Identifier: ISC
// route.js - what the page shows, behind the # of its address: #q=search&id=message. So a reload
// and a bookmark show the same, and a phone's back button leads back to the list.

export function readRoute() {
	const values = new URLSearchParams(location.hash.slice(1));
	return { query: values.get("q") ?? "", id: values.get("id") ?? "" };
}

function written({ query, id }) {
	const values = new URLSearchParams();
	if (query)
		values.set("q", query);
	if (id)
		values.set("id", id);
	const text = values.toString();
	return text ? `#${text}` : "#";
}

// A step that "back" takes back, or (`replace`) a change of the present one.
export function writeRoute(route, replace = false) {
	const hash = written(route);
	if (hash === (location.hash || "#"))
		return;
	if (replace)
		history.replaceState(history.state, "", hash);
	else
		history.pushState({ ours: true }, "", hash);
}

// Was the present step made by the page? Then going back stays on it.
export function canGoBack() {
	return history.state?.ours === true;
}

export function onRoute(changed) {
	addEventListener("popstate", () => changed(readRoute()));
}
