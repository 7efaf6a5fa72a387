/* SPDX-License-Identifier: ISC */
/* fetch.h - what providers are logged in to with: passwords and access tokens, had from files,
 * programs and token endpoints.
 *
 * One per daemon; it lives on the thread whose channel it is given. Workers ask from theirs and are
 * answered there. What takes time runs in helpers of its own: however slow an endpoint is, names
 * are still resolved. One fetch serves all who wait, and a failure is not repeated before its time.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "base/channel.h"
#include "base/clock.h"
#include "config/settings.h"

struct fetch;

/* A question on its way: belongs to fetch from fetch_ask() until answered(). */
struct fetch_query {
	struct channel_item item;
	struct channel *home; /* where it comes back */
	void (*answered)(struct fetch_query *query);
	const char *provider; /* its name; outlives the query */
	/* The answer. */
	bool known;
	struct bytes secret; /* when it is known, with its number */
	unsigned number;
	struct bytes error; /* when it is not */
	/* fetch's */
	struct fetch *fetch;
	struct fetch_query *next;
};
void fetch_query_release(struct fetch_query *query); /* wipes the secret */

struct fetch *fetch_new(const struct settings *settings, struct channel *home,
                        const struct clock *clock);
/* Starts the programs of password-command, so that what is wrong with them is said early. */
void fetch_start(struct fetch *fetch);
/* Has everything anew (SIGHUP); what is there is used until then. */
void fetch_forget(struct fetch *fetch);
/* The same with other settings; who waits is told to try again. */
void fetch_reload(struct fetch *fetch, const struct settings *settings);
/* Breaks off what is under way, and answers everybody from now on that there is nothing. */
void fetch_stop(struct fetch *fetch);
/* After the last item of its channel was received. */
void fetch_free(struct fetch **fetch);

/* From any thread: */
void fetch_ask(struct fetch *fetch, struct fetch_query *query);
/* The provider refused the secret of that number: it is had anew at the next question, but not
 * again and again. */
void fetch_refused(struct fetch *fetch, const char *provider, unsigned number);

#endif
