/* SPDX-License-Identifier: ISC */
/* credentials.c - what a connection asks for travels to fetch/ as a query of this worker.
 *
 * A connection that ended in the meantime has cancelled: its answer is wiped when it comes.
 */
#include "credentials.h"

#include <stdlib.h>

#include "base/memory.h"

struct asked {
	struct fetch_query query; /* first */
	void (*done)(void *asker, const char *secret, unsigned number, const char *error);
	void *asker;
};

static void answered(struct fetch_query *query)
{
	struct asked *asked = (struct asked *)(void *)query;

	if (asked->done != NULL)
		asked->done(asked->asker, query->known ? bytes_text(&query->secret) : NULL,
		            query->number, bytes_text(&query->error));
	fetch_query_release(query);
	free(asked);
}

static void *ask(void *context, const struct provider_settings *provider,
                 void (*done)(void *asker, const char *secret, unsigned number, const char *error),
                 void *asker)
{
	struct credentials *c = context;
	struct asked *asked = memory_new(sizeof(*asked));

	asked->query.home = c->home;
	asked->query.provider = provider->name;
	asked->query.answered = answered;
	asked->done = done;
	asked->asker = asker;
	fetch_ask(c->fetch, &asked->query);
	return asked;
}

static void cancel(void *context, void *query)
{
	struct asked *asked = query;

	(void)context;
	asked->done = NULL;
}

static void refused(void *context, const struct provider_settings *provider, unsigned number)
{
	struct credentials *c = context;

	fetch_refused(c->fetch, provider->name, number);
}

void credentials_init(struct credentials *c, struct fetch *fetch, struct channel *home)
{
	c->fetch = fetch;
	c->home = home;
	c->source = (struct secret_source){
		.ask = ask, .cancel = cancel, .refused = refused, .context = c
	};
}
