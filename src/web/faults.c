/* SPDX-License-Identifier: ISC */
/* faults.c - GET and PUT api/v1/chaos, which is Mailpit's, and GET, PUT and DELETE api/v1/faults.
 *
 * Each change makes a new set, which goes to all workers; the answer waits until it is in force
 * everywhere, so that what a test sends next meets it.
 */
#include "web/faults.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "web/private.h"

struct fault_wait {
	struct faults_change change;
	struct call *call;
	void (*answer)(struct call *call);
};

/* ---- what is in force ------------------------------------------------------------- */

static void chaos_now(const struct web *web, struct chaos chaos[CHAOS_TRIGGERS])
{
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++)
		chaos[i] = web->faults != NULL ? faults_chaos(web->faults, i) : chaos_default(i);
}

static void change_arrived(struct channel_item *item, void *receiver)
{
	struct fault_wait *wait = (struct fault_wait *)item;
	struct call *call = wait->call;
	void (*answer)(struct call * call) = wait->answer;

	(void)receiver;
	faults_free(&wait->change.faults);
	free(wait);
	answer(call);
}

/* Takes the set. */
static void use(struct call *call, struct faults *faults, void (*answer)(struct call *call))
{
	struct web *web = call->web;
	struct fault_wait *wait = memory_new(sizeof(*wait));

	faults_free(&web->faults);
	web->faults = faults_share(faults);
	wait->change.item.arrived = change_arrived;
	wait->change.home = web->channel;
	wait->change.faults = faults;
	wait->call = call;
	wait->answer = answer;
	web->options.use_faults(web->options.context, &wait->change);
}

/* ---- chaos ----------------------------------------------------------------------------- */

static bool chaos_is_off(struct call *call)
{
	const struct web_options *options = &call->web->options;

	if (options->use_faults != NULL && options->settings->chaos)
		return false;
	answer_text(call, 400, "Chaos is not enabled");
	return true;
}

static void answer_chaos(struct call *call)
{
	struct chaos chaos[CHAOS_TRIGGERS];

	chaos_now(call->web, chaos);
	answer_json(call, 200, chaos_describe(chaos));
}

static void handle_chaos(struct call *call)
{
	if (!chaos_is_off(call))
		answer_chaos(call);
}

static void handle_chaos_put(struct call *call)
{
	struct chaos chaos[CHAOS_TRIGGERS];
	struct bytes error = { 0 };

	if (chaos_is_off(call))
		return;
	if (chaos_parse(chaos, call->body, &error) != 0)
		answer_text(call, 400, "%s", bytes_text(&error));
	else
		use(call, faults_with_chaos(call->web->faults, chaos), answer_chaos);
	bytes_release(&error);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool faults_are_off(struct call *call)
{
	if (call->web->options.use_faults != NULL)
		return false;
	answer_json_error(call, 400, "Faults are for an inbox, not for a relay");
	return true;
}

static void answer_faults(struct call *call)
{
	answer_json(call, 200, fault_rules_describe(call->web->faults));
}

static void handle_faults(struct call *call)
{
	if (!faults_are_off(call))
		answer_faults(call);
}

static void use_rules(struct call *call, struct fault_rules *rules,
                      void (*answer)(struct call *call))
{
	struct chaos chaos[CHAOS_TRIGGERS];

	chaos_now(call->web, chaos);
	use(call, faults_new(rules->items, rules->count, chaos), answer);
	free(rules->items);
}

static void handle_faults_put(struct call *call)
{
	struct fault_rules rules;
	struct bytes error = { 0 };

	if (faults_are_off(call))
		return;
	if (fault_rules_parse(&rules, call->body, &error) != 0)
		answer_json_error(call, 400, bytes_text(&error));
	else
		use_rules(call, &rules, answer_faults);
	bytes_release(&error);
}

static void handle_faults_delete(struct call *call)
{
	struct fault_rules none = { 0 };

	if (!faults_are_off(call))
		use_rules(call, &none, answer_ok);
}

/* ---- from the start ----------------------------------------------------------------------------
 */

static int rules_read(struct fault_rules *rules_r, const char *path, struct bytes *error)
{
	json_error_t wrong;
	json_t *value;
	int rc;

	memset(rules_r, 0, sizeof(*rules_r));
	if (path == NULL)
		return 0;
	value = json_load_file(path, 0, &wrong);
	if (value == NULL) {
		bytes_printf(error, "--faults: %s: line %d: %s", path, wrong.line, wrong.text);
		return -1;
	}
	bytes_printf(error, "--faults: %s: ", path);
	rc = fault_rules_parse(rules_r, value, error);
	if (rc == 0)
		bytes_clear(error);
	json_decref(value);
	return rc;
}

int web_faults_read(struct faults **faults_r, const struct settings *settings, struct bytes *error)
{
	struct chaos chaos[CHAOS_TRIGGERS];
	struct fault_rules rules;
	bool any = false;

	*faults_r = NULL;
	if (rules_read(&rules, settings->faults, error) != 0)
		return -1;
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++) {
		const struct chaos *said = &settings->chaos_triggers[i];

		chaos[i] = said->code > 0 ? *said : chaos_default(i);
		any |= said->code > 0;
	}
	if (any || rules.count > 0)
		*faults_r = faults_new(rules.items, rules.count, chaos);
	free(rules.items);
	return 0;
}

const struct way fault_ways[] = {
	{ EVHTTP_REQ_GET, "/api/v1/chaos", handle_chaos, 0 },
	{ EVHTTP_REQ_PUT, "/api/v1/chaos", handle_chaos_put, WAY_JSON },
	{ EVHTTP_REQ_GET, "/api/v1/faults", handle_faults, 0 },
	{ EVHTTP_REQ_PUT, "/api/v1/faults", handle_faults_put, WAY_JSON | WAY_LIST },
	{ EVHTTP_REQ_DELETE, "/api/v1/faults", handle_faults_delete, 0 },
	WAYS_END,
};
