/* SPDX-License-Identifier: ISC */
/* resolve.c - a small cache of names before getaddrinfo() in a helper.
 *
 * Equal questions share one job. Invariant: a name has at most one job, and is in the cache
 * while it has one. Jobs outlive a freed resolver: they find themselves orphaned.
 */
#include "net/resolve.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"

/* Names kept, far more than a relay has providers; beyond it the one asked for longest ago goes. */
#define CACHE_NAMES_MAX   256
/* A failure is remembered so long, lest every queue entry asks a resolver that is down. */
#define RESOLVE_FAILED_US (5 * CLOCK_SEC)
/* An answer older than this is not served however long DNS is down: addresses get new owners. */
#define RESOLVE_STALE_US  (7 * CLOCK_DAY)
#define HOST_MAX          253 /* octets, RFC 1035 2.3.4 without the root's dot */

struct lookup {
	struct helper_job job; /* first */
	struct name *name;     /* NULL: nobody wants the answer any more */
	char *host;
	int (*look_up)(const char *host, struct resolved *found_r);
	struct resolved found;
	int rc;
	int cause; /* errno for EAI_SYSTEM */
};

struct name {
	struct resolver *resolver;
	char *host;
	struct resolved found;
	int64_t answered_at; /* `found`; only when it has any */
	int64_t failed_at;
	int64_t asked_at;
	char *failure; /* NULL: the last lookup went well */
	struct lookup *lookup;
	struct list queries;
};

struct resolve_query {
	struct list link;
	uint16_t port;
	void (*done)(void *context, const struct resolved *found, const char *error);
	void *context;
};

struct resolver {
	struct helper *helper;
	struct channel *home;
	const struct clock *clock;
	int (*look_up)(const char *host, struct resolved *found_r);
	struct table *names;
};

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET)
		((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
}

static void answer(const struct resolved *found, uint16_t port,
                   void (*done)(void *context, const struct resolved *found, const char *error),
                   void *context)
{
	struct resolved with_port = *found;

	for (size_t i = 0; i < with_port.count; i++)
		set_port(&with_port.addresses[i], port);
	done(context, &with_port, NULL);
}

/* In the order that getaddrinfo() prefers (RFC 6724). */
static int ask_system(const char *host, int flags, struct resolved *found)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL, *ai;
	int rc = getaddrinfo(host, NULL, &hints, &list);

	found->count = 0;
	for (ai = rc == 0 ? list : NULL; ai != NULL && found->count < RESOLVE_ADDRESSES_MAX;
	     ai = ai->ai_next) {
		if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) ||
		    ai->ai_addrlen > sizeof found->addresses[0])
			continue;
		memcpy(&found->addresses[found->count], ai->ai_addr, ai->ai_addrlen);
		found->lengths[found->count++] = ai->ai_addrlen;
	}
	if (list != NULL)
		freeaddrinfo(list);
	return rc == 0 && found->count == 0 ? EAI_NONAME : rc;
}

static int look_up_name(const char *host, struct resolved *found_r)
{
	return ask_system(host, 0, found_r);
}

struct resolver *resolver_new(struct helper *helper, struct channel *home,
                              const struct clock *clock)
{
	struct resolver *r = memory_new(sizeof *r);

	r->helper = helper;
	r->home = home;
	r->clock = clock;
	r->look_up = look_up_name;
	r->names = table_new();
	return r;
}

void resolver_look_up_with(struct resolver *r,
                           int (*look_up)(const char *host, struct resolved *found_r))
{
	r->look_up = look_up;
}

static void work(struct helper_job *job)
{
	struct lookup *l = (struct lookup *)(void *)job;

	l->rc = l->look_up(l->host, &l->found);
	l->cause = errno;
}

static void name_free(struct name *name)
{
	if (name->lookup != NULL)
		name->lookup->name = NULL;
	free(name->host);
	free(name->failure);
	free(name);
}

static char *failure_text(const struct lookup *l)
{
	return memory_text(l->rc == EAI_SYSTEM ? strerror(l->cause) : gai_strerror(l->rc));
}

/* DNS answered that there is no such name; everything else means that DNS is down. */
static bool is_denial(int rc)
{
#ifdef EAI_NODATA
	if (rc == EAI_NODATA)
		return true;
#endif
	return rc == EAI_NONAME;
}

static void remember(struct name *name, const struct lookup *l, int64_t now)
{
	free(name->failure);
	name->failure = NULL;
	if (l->rc == 0) {
		name->found = l->found;
		name->answered_at = now;
		return;
	}
	name->failure = failure_text(l);
	name->failed_at = now;
	if (is_denial(l->rc))
		name->found.count = 0;
}

static bool has_answer(const struct name *name, int64_t now, int64_t age_max)
{
	return name->found.count > 0 && now - name->answered_at < age_max;
}

/* Each callback may cancel others, ask again, or free the resolver (which takes the name from the
 * lookup): so what is needed afterwards is copied. */
static void answer_all(struct lookup *l, const struct resolved *found, const char *error)
{
	struct list *node;

	while (l->name != NULL && (node = list_first(&l->name->queries)) != NULL) {
		struct resolve_query *q = list_entry(node, struct resolve_query, link);
		struct resolve_query asked = *q;

		list_remove(node);
		free(q);
		if (error != NULL)
			asked.done(asked.context, NULL, error);
		else
			answer(found, asked.port, asked.done, asked.context);
	}
}

static void came_back(struct channel_item *item, void *receiver)
{
	struct lookup *l = (struct lookup *)(void *)item;
	struct resolved found = { 0 };
	char *failure = NULL;

	(void)receiver;
	if (l->name != NULL) {
		int64_t now = clock_monotonic(l->name->resolver->clock);

		remember(l->name, l, now);
		found = l->name->found;
		if (!has_answer(l->name, now, RESOLVE_STALE_US))
			failure = memory_text(l->name->failure);
		answer_all(l, &found, failure);
	}
	if (l->name != NULL)
		l->name->lookup = NULL;
	free(failure);
	free(l->host);
	free(l);
}

static int start_lookup(struct name *name)
{
	struct resolver *r = name->resolver;
	struct lookup *l = memory_new(sizeof *l);

	l->job.item.arrived = came_back;
	l->job.work = work;
	l->job.home = r->home;
	l->name = name;
	l->host = memory_text(name->host);
	l->look_up = r->look_up;
	if (helper_submit(r->helper, &l->job) < 0) {
		free(l->host);
		free(l);
		return -1;
	}
	name->lookup = l;
	return 0;
}

static void find_oldest(void *context, struct span key, void *value)
{
	struct name **oldest = context, *name = value;

	(void)key;
	if (name->lookup == NULL && (*oldest == NULL || name->asked_at < (*oldest)->asked_at))
		*oldest = name;
}

/* -1: every name kept is being looked up. */
static int make_room(struct resolver *r)
{
	struct name *oldest = NULL;

	if (table_count(r->names) < CACHE_NAMES_MAX)
		return 0;
	table_each(r->names, find_oldest, &oldest);
	if (oldest == NULL)
		return -1;
	table_remove(r->names, span_of_text(oldest->host));
	name_free(oldest);
	return 0;
}

/* NULL: there is no room for another name. */
static struct name *name_of(struct resolver *r, const char *host)
{
	char lower[HOST_MAX + 1];
	struct name *name;
	size_t length = strlen(host);

	for (size_t i = 0; i <= length; i++)
		lower[i] = (char)tolower((unsigned char)host[i]);
	name = table_find(r->names, span_of(lower, length));
	if (name != NULL)
		return name;
	if (make_room(r) < 0)
		return NULL;
	name = memory_new(sizeof *name);
	name->resolver = r;
	name->host = memory_text(lower);
	name->failed_at = -RESOLVE_FAILED_US;
	list_init(&name->queries);
	table_set(r->names, span_of(lower, length), name);
	return name;
}

/* Whether the question can be answered now: a literal address or what is kept. */
static bool answer_at_once(struct name *name, int64_t now, uint16_t port,
                           void (*done)(void *context, const struct resolved *found,
                                        const char *error),
                           void *context)
{
	bool failed_just_now = name->failure != NULL && now - name->failed_at < RESOLVE_FAILED_US;

	if (has_answer(name, now, failed_just_now ? RESOLVE_STALE_US : RESOLVE_FRESH_US)) {
		answer(&name->found, port, done, context);
		return true;
	}
	if (failed_just_now) {
		char *failure = memory_text(name->failure); /* done() may free the resolver */

		done(context, NULL, failure);
		free(failure);
	}
	return failed_just_now;
}

static bool answer_literal(const char *host, uint16_t port,
                           void (*done)(void *context, const struct resolved *found,
                                        const char *error),
                           void *context)
{
	struct resolved found;
	size_t length = strlen(host);
	char *plain = length >= 2 && host[0] == '[' && host[length - 1] == ']'
	                      ? memory_text_of(host + 1, length - 2)
	                      : memory_text(host);
	bool literal = ask_system(plain, AI_NUMERICHOST, &found) == 0;

	free(plain);
	if (literal)
		answer(&found, port, done, context);
	return literal;
}

struct resolve_query *resolver_ask(struct resolver *r, const char *host, uint16_t port,
                                   void (*done)(void *context, const struct resolved *found,
                                                const char *error),
                                   void *context)
{
	int64_t now = clock_monotonic(r->clock);
	size_t length = strlen(host);
	struct resolve_query *query;
	struct name *name;

	if (length == 0 || length > HOST_MAX) {
		done(context, NULL, "the name is empty or longer than 253 octets");
		return NULL;
	}
	if (answer_literal(host, port, done, context))
		return NULL;
	name = name_of(r, host);
	if (name == NULL) {
		done(context, NULL, "too many names are being asked for");
		return NULL;
	}
	name->asked_at = now;
	if (answer_at_once(name, now, port, done, context))
		return NULL;
	if (name->lookup == NULL && start_lookup(name) < 0) {
		if (has_answer(name, now, RESOLVE_STALE_US))
			answer(&name->found, port, done, context);
		else
			done(context, NULL, "too many names are being asked for");
		return NULL;
	}
	query = memory_new(sizeof *query);
	query->port = port;
	query->done = done;
	query->context = context;
	list_append(&name->queries, &query->link);
	return query;
}

void resolver_cancel(struct resolve_query **query_p)
{
	struct resolve_query *query = *query_p;

	if (query == NULL)
		return;
	*query_p = NULL;
	list_remove(&query->link);
	free(query);
}

static void free_entry(void *context, struct span key, void *value)
{
	struct name *name = value;
	struct list *node;

	(void)context;
	(void)key;
	while ((node = list_first(&name->queries)) != NULL) {
		list_remove(node);
		free(list_entry(node, struct resolve_query, link));
	}
	name_free(name);
}

void resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	table_each(r->names, free_entry, NULL);
	table_free(&r->names);
	free(r);
}
