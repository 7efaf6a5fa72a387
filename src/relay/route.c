/* SPDX-License-Identifier: ISC */
/* route.c - finds a recipient's route, and turns an envelope into deliveries.
 *
 * The rules are compared in file order and the first that fits wins. The generation is a digest
 * of everything in the rules that decides where mail goes, so that a delivery can tell whether
 * it was routed by other rules. Nothing here changes after router_new(): all threads read it.
 */
#include "relay/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "relay/from.h"
#include "relay/match.h"
#include "relay/relay.h"

struct router {
	const struct settings *settings;
	struct route *routes; /* as settings->routes; the unrouted one at the end */
	size_t count;
	uint64_t generation;
};

/* ---- rules ----------------------------------------------------------------- */

/* But for the header. */
static bool envelope_fits(const struct route_settings *rule, const struct route_question *question,
                          const struct address *recipient)
{
	return match_address(&rule->sender, question->sender) &&
	       match_address(&rule->recipient, recipient) &&
	       match_text(&rule->login, question->login) &&
	       match_text(&rule->listener, question->listener);
}

/* ---- making ---------------------------------------------------------------- */

static void digest_list(struct bytes *rules, const struct text_list *list)
{
	bytes_put_u32(rules, (uint32_t)list->count);
	for (size_t i = 0; i < list->count; i++)
		bytes_put_text(rules, list->items[i]);
}

/* Without a spool (tests) the front of the digest stands for itself. */
static int generation_of(struct router *router, struct spool *spool, struct bytes *error)
{
	unsigned char digest[DIGEST_SHA256_SIZE];
	struct bytes rules = { 0 };

	for (size_t i = 0; i + 1 < router->count; i++) {
		const struct route *route = &router->routes[i];
		const struct route_settings *rule = route->settings;

		bytes_put_text(&rules, rule->name);
		digest_list(&rules, &rule->sender);
		digest_list(&rules, &rule->recipient);
		digest_list(&rules, &rule->login);
		digest_list(&rules, &rule->listener);
		digest_list(&rules, &rule->header);
		digest_list(&rules, &rule->via);
		bytes_put_u8(&rules, (uint8_t)(rule->priority + 128));
		bytes_put_u8(&rules, rule->hold);
		bytes_put_text(&rules, route->inbox == NULL ? NULL : route->inbox->inbox);
	}
	digest_sha256(bytes_span(&rules), digest);
	bytes_release(&rules);
	router->generation = be64_load(digest);
	if (spool == NULL ||
	    spool_generation(spool, span_of(digest, sizeof(digest)), &router->generation) == 0)
		return 0;
	bytes_append_text(error, "the spool does not take the digest of the routing rules");
	return -1;
}

/* Without a spool (tests) names are numbered by their place. */
static int number_of(struct spool *spool, enum spool_names kind, const char *name, size_t place,
                     uint32_t *number_r, struct bytes *error)
{
	if (spool == NULL) {
		*number_r = (uint32_t)place + 1;
		return 0;
	}
	if (spool_number(spool, kind, name, number_r) == 0)
		return 0;
	bytes_printf(error, "the spool has no number for '%s'", name);
	return -1;
}

static const struct provider_settings *inbox_of(const struct settings *settings,
                                                const struct route_settings *rule)
{
	const struct provider_settings *provider;

	if (rule->via.count == 0)
		return NULL;
	provider = settings_provider(settings, rule->via.items[0]);
	return provider != NULL && provider->kind == PROVIDER_INBOX ? provider : NULL;
}

/* Of what names an inbox; NULL: nothing does, and it has no number. */
static int number_of_inbox(struct spool *spool, const struct settings *settings, const char *target,
                           uint32_t *number_r, struct bytes *error)
{
	const struct inbox_settings *inbox =
		target == NULL ? NULL : settings_inbox(settings, target);

	if (inbox == NULL)
		return 0;
	return number_of(spool, SPOOL_NAME_INBOX, inbox->name, (size_t)(inbox - settings->inboxes),
	                 number_r, error);
}

static int route_init(struct route *route, const struct settings *settings, size_t place,
                      struct spool *spool, struct bytes *error)
{
	const struct route_settings *rule = &settings->routes[place];

	route->settings = rule;
	route->inbox = inbox_of(settings, rule);
	if (number_of(spool, SPOOL_NAME_QUEUE, rule->name, place, &route->queue, error) != 0)
		return -1;
	if (number_of_inbox(spool, settings, rule->copy, &route->copy_number, error) != 0)
		return -1;
	return number_of_inbox(spool, settings, route->inbox == NULL ? NULL : route->inbox->name,
	                       &route->inbox_number, error);
}

int router_new(struct router **router_r, const struct settings *settings, struct spool *spool,
               struct bytes *error)
{
	struct router *router = memory_new(sizeof(*router));
	int rc = 0;

	router->settings = settings;
	router->count = settings->route_count + 1;
	router->routes = memory_new_array(router->count, sizeof(*router->routes));
	router->routes[settings->route_count].queue = SPOOL_QUEUE_UNROUTED;
	for (size_t i = 0; i < settings->route_count && rc == 0; i++)
		rc = route_init(&router->routes[i], settings, i, spool, error);
	if (rc != 0 || generation_of(router, spool, error) != 0) {
		router_free(&router);
		return -1;
	}
	*router_r = router;
	return 0;
}

void router_free(struct router **router_p)
{
	struct router *router = *router_p;

	if (router == NULL)
		return;
	*router_p = NULL;
	free(router->routes);
	free(router);
}

/* ---- asking ---------------------------------------------------------------- */

static bool header_fits(const struct router *router, const struct route_question *question,
                        size_t place)
{
	return router->routes[place].settings->header.count == 0 ||
	       (question->header_fits != NULL && question->header_fits[place]);
}

const struct route *route_find(const struct router *router, const struct route_question *question,
                               const struct address *recipient)
{
	size_t i = 0;

	while (i + 1 < router->count &&
	       !(envelope_fits(router->routes[i].settings, question, recipient) &&
	         header_fits(router, question, i)))
		i++;
	return &router->routes[i];
}

bool route_needs_header(const struct router *router, const struct route_question *question,
                        const struct address *recipient)
{
	for (size_t i = 0; i + 1 < router->count; i++)
		if (envelope_fits(router->routes[i].settings, question, recipient))
			return router->routes[i].settings->header.count > 0;
	return false;
}

bool *router_read_header(const struct router *router, struct span header)
{
	bool *fits = NULL;

	for (size_t i = 0; i + 1 < router->count; i++) {
		const struct text_list *patterns = &router->routes[i].settings->header;

		if (patterns->count == 0)
			continue;
		if (fits == NULL)
			fits = memory_new_array(router->count, sizeof(*fits));
		fits[i] = match_header(patterns, header);
	}
	return fits;
}

const struct route *route_of_queue(const struct router *router, uint32_t queue)
{
	for (size_t i = 0; i < router->count; i++)
		if (router->routes[i].queue == queue)
			return &router->routes[i];
	return NULL;
}

size_t router_count(const struct router *router)
{
	return router->count;
}

const struct route *router_at(const struct router *router, size_t i)
{
	return &router->routes[i];
}

uint64_t router_generation(const struct router *router)
{
	return router->generation;
}

/* ---- putting --------------------------------------------------------------- */

/* What all deliveries of one put share. */
struct routing {
	const struct router *router;
	struct put *put;
	const struct intake *intake;
	uint16_t class;
	int64_t now_us;
};

/* The sender's wish moves its mail within the range of all (RFC 6710 5). */
int8_t route_priority(const struct route *route, const struct message_facts *facts)
{
	int sum = facts->terms.priority;

	if (route->settings != NULL)
		sum += route->settings->priority;
	return (int8_t)(sum < -9 ? -9 : sum > 9 ? 9 : sum);
}

static bool wants_delays(const struct recipient *recipients, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (report_is_wanted(REPORT_DELAYED, recipients[i].notify))
			return true;
	return false;
}

/* When its sender is told that it is delayed: by the route, or the sender's own time (RFC 2852; one
 * that has passed already was told of). 0: never. */
static int64_t warn_time(const struct routing *r, const struct route *route, int64_t accepted_us)
{
	const struct envelope_terms *terms = &r->put->facts.terms;
	int64_t warn = 0;

	if (address_is_null(&r->put->facts.sender))
		return 0;
	if (route->settings != NULL && route->settings->delay_warning_us > 0)
		warn = accepted_us + route->settings->delay_warning_us;
	if (terms->by_mode == BY_NOTIFY && terms->by_us > r->now_us &&
	    (warn == 0 || terms->by_us < warn))
		warn = terms->by_us;
	return warn;
}

static void put_delivery(const struct routing *r, const struct route *route,
                         const struct recipient *recipients, size_t count)
{
	struct delivery *delivery = memory_new(sizeof(*delivery));
	bool hold = route->settings != NULL && route->settings->hold;
	int64_t release = r->put->facts.terms.release_us;

	/* RFC 4865: neither sent nor expired before. */
	release = release > r->now_us ? release : r->now_us;

	delivery->queue = route->queue;
	delivery->generation = r->router->generation;
	delivery->priority = route_priority(route, &r->put->facts);
	delivery->class = r->class;
	delivery->due_us = hold ? CLOCK_NEVER : release;
	delivery->accepted_us = release;
	if (r->put->facts.terms.by_mode == BY_RETURN)
		delivery->return_by_us = r->put->facts.terms.by_us;
	if (wants_delays(recipients, count))
		delivery->warn_us = warn_time(r, route, release);
	delivery->recipients = memory_new_array(count, sizeof(*delivery->recipients));
	delivery->count = count;
	for (size_t i = 0; i < count; i++)
		recipient_copy(&delivery->recipients[i].to, &recipients[i]);
	put_add_delivery(r->put, delivery);
}

static void put_route(const struct routing *r, const struct route *route,
                      const struct recipient *recipients, size_t count)
{
	for (size_t from = 0; from < count; from += SPOOL_RECIPIENTS_MAX) {
		size_t left = count - from;

		put_delivery(r, route, recipients + from,
		             left < SPOOL_RECIPIENTS_MAX ? left : SPOOL_RECIPIENTS_MAX);
	}
}

/* The recipients of one route, gathered side by side; the structs are borrowed, not copied. */
static size_t gather(const struct envelope *envelope, const struct route *const *found,
                     const struct route *route, struct recipient *out)
{
	size_t count = 0;

	for (size_t i = 0; i < envelope->count; i++)
		if (found[i] == route)
			out[count++] = envelope->recipients[i];
	return count;
}

static bool fills(const struct route *route, uint32_t inbox)
{
	return route->inbox_number == inbox || route->copy_number == inbox;
}

/* One entry of an inbox for all recipients whose routes lead there, or leave a copy. */
static void put_inbox(const struct routing *r, const struct envelope *envelope,
                      const struct route *const *found, uint32_t inbox, struct recipient *together)
{
	size_t count = 0;

	if (inbox == 0)
		return;
	for (size_t i = 0; i < envelope->count; i++)
		if (fills(found[i], inbox))
			together[count++] = envelope->recipients[i];
	if (count > 0)
		r->intake->add(r->intake->context, r->put, inbox, together, count);
}

static bool is_filled_before(const struct router *router, size_t place, uint32_t inbox)
{
	for (size_t i = 0; i < place; i++)
		if (fills(&router->routes[i], inbox))
			return true;
	return false;
}

static void put_inboxes(const struct routing *r, const struct envelope *envelope,
                        const struct route *const *found, struct recipient *together)
{
	for (size_t i = 0; i < r->router->count; i++) {
		const struct route *route = &r->router->routes[i];

		if (!is_filled_before(r->router, i, route->inbox_number))
			put_inbox(r, envelope, found, route->inbox_number, together);
		if (!is_filled_before(r->router, i, route->copy_number))
			put_inbox(r, envelope, found, route->copy_number, together);
	}
}

/* What routing and providers may ask of it later. */
static void note_origin(struct put *put, const char *listener)
{
	struct message_facts *facts = &put->facts;

	facts->listener = listener == NULL ? NULL : memory_text(listener);
	facts->from = from_addresses(put_header(put), &facts->trace);
}

void route_put(const struct router *router, struct put *put, struct spool *spool,
               const struct envelope *envelope, const char *listener, const struct intake *intake,
               int64_t now_us)
{
	struct route_question question = { .sender = &envelope->sender,
		                           .login = put->facts.login,
		                           .listener = listener };
	struct routing r = { .router = router, .put = put, .intake = intake, .now_us = now_us };
	const struct route **found;
	struct recipient *together;
	bool *fits;

	if (envelope->count == 0)
		return;
	question.header_fits = fits = router_read_header(router, put_header(put));
	found = memory_new_array(envelope->count, sizeof(*found));
	together = memory_new_array(envelope->count, sizeof(*together));
	r.class = spool == NULL ? 0 : spool_class(spool, put->facts.login, &envelope->sender);
	for (size_t i = 0; i < envelope->count; i++)
		found[i] = route_find(router, &question, &envelope->recipients[i].address);
	for (size_t i = 0; i < router->count; i++) {
		size_t count = router->routes[i].inbox != NULL
		                       ? 0
		                       : gather(envelope, found, &router->routes[i], together);

		if (count > 0)
			put_route(&r, &router->routes[i], together, count);
	}
	put_inboxes(&r, envelope, found, together);
	if (put->delivery_count > 0)
		note_origin(put, listener);
	free(together);
	free(found);
	free(fits);
}
