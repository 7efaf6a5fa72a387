/* SPDX-License-Identifier: ISC */
/* route.h - where a recipient's mail goes, decided at the end of data.
 *
 * First match wins, in file order. A recipient routed to an inbox is final in the
 * accepting transaction; what no route matches goes to queue 0, "unrouted".
 * Immutable after it is made: read by all threads.
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include "config/settings.h"
#include "spool/spool.h"

struct route {
	const struct route_settings *settings; /* NULL: unrouted */
	uint32_t queue;                        /* number in the spool */
	const struct provider_settings *inbox; /* an inbox route: its provider; else NULL */
	uint32_t inbox_number, copy_number;    /* inboxes in the spool; 0: none */
};

struct router;

/* Between spool_open() and spool_start(): takes numbers for the names. */
int router_new(struct router **router_r, const struct settings *settings, struct spool *spool,
               struct bytes *error);
void router_free(struct router **router);

struct route_question {
	const struct address *sender;
	const char *login;       /* NULL: none */
	const char *listener;    /* its name; NULL: made here (bounce) */
	const bool *header_fits; /* router_read_header(); NULL: no patterns for it fit */
};
/* Never NULL: the last answer is the unrouted route. */
const struct route *route_find(const struct router *router, const struct route_question *question,
                               const struct address *recipient);
/* Whether the answer depends on the header: a rule that asks for it is the first that else fits. */
bool route_needs_header(const struct router *router, const struct route_question *question,
                        const struct address *recipient);
/* Of each route, by its place, whether that header section fits its patterns; the caller frees it.
 * NULL: no route asks. */
bool *router_read_header(const struct router *router, struct span header);
const struct route *route_of_queue(const struct router *router, uint32_t queue); /* NULL: gone */
/* All of them in file order, the unrouted one at the end. */
size_t router_count(const struct router *router);
const struct route *router_at(const struct router *router, size_t i);
/* The route's and the sender's, added. */
int8_t route_priority(const struct route *route, const struct message_facts *facts);
uint64_t router_generation(const struct router *router);

/* The intake hook: inbox entries of a put (inbox/ makes them; receive and relay know only this). */
struct intake {
	/* Adds one for these recipients, which were routed to that inbox. Quick: any thread. */
	void (*add)(void *context, struct put *put, uint32_t inbox,
	            const struct recipient *recipients, size_t count);
	/* Fills in all entries of the put from its content, the chunks that went ahead included.
	 * Works as long as MIME takes, so it is for helpers; before spool_put(). */
	void (*finish)(void *context, struct put *put, struct spool *spool);
	void *context;
};

/* Routes every recipient of the envelope and adds what follows to the put: deliveries of at most
 * SPOOL_RECIPIENTS_MAX recipients a queue, due now (or held), and inbox entries through the intake.
 * put->facts must be filled. The one way into the spool for receive, HTTP send and bounces; a put
 * that has entries then goes through intake->finish(). */
void route_put(const struct router *router, struct put *put, struct spool *spool,
               const struct envelope *envelope, const char *listener, const struct intake *intake,
               int64_t now_us);

#endif
