// SPDX-License-Identifier: ISC
// highlight.js - HTML with its tags, attributes and comments in colours: pieces of text in spans.

import { h } from "./dom.js";

// Beyond this many pieces the rest is plain: a page of a million spans is slow.
const PIECES_MOST = 6000;

// A comment, or a tag; what a tag contains is looked at by itself.
const TAG = /<!--[\s\S]*?(?:-->|$)|<\/?[a-zA-Z!][^<>]*>?/g;
const INSIDE = /("[^"]*"|'[^']*')|([^\s=<>"'/]+)(?=\s*=)|([^"'\s]+|\s+|["'])/g;

function piece(kind, text) {
	return h("span", { class: `hl-${kind}` }, text);
}

function tagPieces(tag) {
	if (tag.startsWith("<!"))
		return [piece("comment", tag)];
	const name = /^<\/?[\w:-]+/.exec(tag)?.[0] ?? "<";
	const pieces = [piece("tag", name)];
	for (const [text, value, attribute] of tag.slice(name.length).matchAll(INSIDE)) {
		if (value)
			pieces.push(piece("value", text));
		else if (attribute)
			pieces.push(piece("name", text));
		else if (/[<>/]/.test(text))
			pieces.push(piece("tag", text));
		else
			pieces.push(text);
	}
	return pieces;
}

export function highlighted(html) {
	const pieces = [];
	let end = 0;
	for (const match of html.matchAll(TAG)) {
		if (pieces.length > PIECES_MOST)
			break;
		pieces.push(html.slice(end, match.index), ...tagPieces(match[0]));
		end = match.index + match[0].length;
	}
	pieces.push(html.slice(end));
	return pieces;
}
