// SPDX-License-Identifier: ISC
// changes.js - what the reader does to messages. Each shows at once, and is put right if the server
// refuses it.

import { api } from "./api.js";
import { confirmed } from "./dialog.js";
import { complain, say } from "./say.js";
import { count } from "./text.js";

export class Changes {
	#messages;

	constructor(messages) {
		this.#messages = messages;
	}

	async #tried(call) {
		try {
			await call();
			return true;
		} catch (error) {
			complain(error);
			this.#messages.reloadSoon();
			return false;
		}
	}

	markRead(ids, read) {
		const changed = ids.filter((id) => this.#messages.summary(id)?.Read !== read);
		if (changed.length === 0)
			return Promise.resolve(true);
		for (const ID of changed)
			this.#messages.updated({ ID, Read: read });
		return this.#tried(() => api.markRead(changed, read));
	}

	async readAll() {
		const { query } = this.#messages;
		if (await this.#tried(() => query ? api.markFound(query, true) : api.markRead([], true)))
			say(query ? "All found messages are read" : "All messages are read");
		await this.#messages.reload().catch(complain);
	}

	remove(ids) {
		this.#messages.removed(ids);
		return this.#tried(() => api.remove(ids));
	}

	// Asks first: it cannot be taken back.
	async removeAll() {
		const { query, total, loaded } = this.#messages;
		// How many are found is not known yet.
		if (!loaded)
			return false;
		const what = count(total, "message");
		if (!await confirmed(query ? "Delete all found" : "Delete all",
			query ? `${what} found by \u201c${query}\u201d will be gone.` : `${what} will be gone.`, `Delete ${what}`))
			return false;
		if (!await this.#tried(() => query ? api.removeFound(query) : api.removeAll()))
			return false;
		say(`${what} deleted`);
		await this.#messages.reload().catch(complain);
		return true;
	}

	setTags(id, tags) {
		this.#messages.updated({ ID: id, Tags: tags });
		return this.#tried(() => api.setTags([id], tags));
	}

	// To each of them; those that have the same tags afterwards go in one call.
	async changeTags(summaries, added, gone) {
		const groups = new Map();
		for (const { ID, Tags = [] } of summaries) {
			const tags = [...new Set([...Tags.filter((tag) => !gone.includes(tag)), ...added])].sort();
			const key = JSON.stringify(tags);
			groups.set(key, [...groups.get(key) ?? [], ID]);
			this.#messages.updated({ ID, Tags: tags });
		}
		for (const [key, ids] of groups)
			await this.#tried(() => api.setTags(ids, JSON.parse(key)));
	}
}
