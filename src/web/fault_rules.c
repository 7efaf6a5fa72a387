/* SPDX-License-Identifier: ISC */
/* fault_rules.c - faults as JSON: Mailpit's triggers of chaos, and rules of ours.
 *
 * A member that is not known is refused in a rule: a typing error would make a fault that hits
 * everything. Mailpit's clients are taken as Mailpit takes them.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/memory.h"
#include "config/values.h"
#include "web/faults.h"
#include "web/private.h"

/* ---- rules ---------------------------------------------------------------------- */

static bool take_text(char **field, const json_t *value)
{
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return false;
	free(*field);
	*field = *json_string_value(value) != '\0' ? memory_text(json_string_value(value)) : NULL;
	return true;
}

static bool take_number(uint64_t *number, const json_t *value, json_int_t max)
{
	*number = json_is_integer(value) ? (uint64_t)json_integer_value(value) : 0;
	return json_is_integer(value) && json_integer_value(value) >= 0 &&
	       json_integer_value(value) <= max;
}

static bool take_small(unsigned *number, const json_t *value)
{
	uint64_t whole;
	bool good = take_number(&whole, value, 1000);

	*number = (unsigned)whole;
	return good;
}

static const char *take_member(struct fault *f, const char *key, const json_t *value,
                               bool *has_stage)
{
	const char *text = json_is_string(value) ? json_string_value(value) : "", *error;

	if (strcasecmp(key, "Sender") == 0)
		return take_text(&f->sender, value) ? NULL
		                                    : "write a pattern such as \"*@a.example\"";
	if (strcasecmp(key, "Recipient") == 0)
		return take_text(&f->recipient, value) ? NULL
		                                       : "write a pattern such as \"*@a.example\"";
	if (strcasecmp(key, "Text") == 0)
		return take_text(&f->text, value) ? NULL : "write a text";
	if (strcasecmp(key, "Stage") == 0) {
		*has_stage = true;
		return fault_stage_find(text, &f->stage)
		               ? NULL
		               : "write connect, helo, auth, mail, rcpt or data";
	}
	if (strcasecmp(key, "Action") == 0)
		return fault_action_find(text, &f->action) ? NULL
		                                           : "write reply, disconnect or slow";
	if (strcasecmp(key, "Delay") == 0)
		return duration_parse(&f->delay_us, text, &error) == 0
		               ? NULL
		               : "write a duration such as \"2s\"";
	if (strcasecmp(key, "Code") == 0)
		return take_small(&f->code, value) ? NULL : "write a number from 400 to 599";
	if (strcasecmp(key, "Probability") == 0)
		return take_small(&f->probability, value) ? NULL : "write a number from 0 to 100";
	if (strcasecmp(key, "Count") == 0)
		return take_number(&f->count, value, FAULT_COUNT_MAX) ? NULL : "write a number";
	if (strcasecmp(key, "Skip") == 0)
		return take_number(&f->skip, value, FAULT_COUNT_MAX) ? NULL : "write a number";
	/* As we show it: what was read may be sent back. */
	return strcasecmp(key, "Happened") == 0 ? NULL : "there is no such member";
}

static int rule_parse(struct fault *f, json_t *object, struct bytes *error)
{
	bool has_stage = false;
	const char *key, *problem;
	json_t *value;

	f->probability = 100;
	if (!json_is_object(object)) {
		bytes_append_text(error, "a rule is an object");
		return -1;
	}
	json_object_foreach(object, key, value)
	{
		problem = take_member(f, key, value, &has_stage);
		if (problem != NULL) {
			bytes_printf(error, "%.80s: %s", key, problem);
			return -1;
		}
	}
	if (!has_stage)
		f->stage = f->recipient != NULL ? FAULT_RCPT : FAULT_MAIL;
	problem = fault_problem(f);
	if (problem != NULL)
		bytes_append_text(error, problem);
	return problem == NULL ? 0 : -1;
}

static void fault_rules_release(struct fault_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		fault_release(&rules->items[i]);
	free(rules->items);
	memset(rules, 0, sizeof(*rules));
}

int fault_rules_parse(struct fault_rules *rules_r, json_t *body, struct bytes *error)
{
	size_t count = json_is_object(body) ? 1 : json_array_size(body);

	memset(rules_r, 0, sizeof(*rules_r));
	if (!json_is_object(body) && !json_is_array(body)) {
		bytes_append_text(error, "write a list of rules");
		return -1;
	}
	if (count > FAULTS_MAX) {
		bytes_printf(error, "at most %d rules", FAULTS_MAX);
		return -1;
	}
	rules_r->items = memory_new_array(count, sizeof(*rules_r->items));
	for (; rules_r->count < count; rules_r->count++) {
		struct fault *f = &rules_r->items[rules_r->count];
		json_t *rule = json_is_object(body) ? body : json_array_get(body, rules_r->count);

		if (rule_parse(f, rule, error) == 0)
			continue;
		fault_release(f);
		fault_rules_release(rules_r);
		return -1;
	}
	return 0;
}

static json_t *describe_duration(int64_t us)
{
	struct bytes text = { 0 };
	json_t *value;

	duration_format(us, &text);
	value = json_text(bytes_text(&text));
	bytes_release(&text);
	return value;
}

static void set_number(json_t *object, const char *name, uint64_t number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

static json_t *describe_rule(const struct fault *f, uint64_t happened)
{
	json_t *object = json_object();

	json_object_set_new(object, "Stage", json_string(fault_stage_name(f->stage)));
	if (f->sender != NULL)
		json_object_set_new(object, "Sender", json_text(f->sender));
	if (f->recipient != NULL)
		json_object_set_new(object, "Recipient", json_text(f->recipient));
	json_object_set_new(object, "Action", json_string(fault_action_name(f->action)));
	if (f->code > 0)
		set_number(object, "Code", f->code);
	if (f->text != NULL)
		json_object_set_new(object, "Text", json_text(f->text));
	if (f->delay_us > 0)
		json_object_set_new(object, "Delay", describe_duration(f->delay_us));
	set_number(object, "Skip", f->skip);
	set_number(object, "Count", f->count);
	set_number(object, "Probability", f->probability);
	set_number(object, "Happened", happened);
	return object;
}

json_t *fault_rules_describe(const struct faults *faults)
{
	json_t *list = json_array();

	for (size_t i = 0; faults != NULL && i < faults_count(faults); i++)
		json_array_append_new(
			list, describe_rule(faults_rule(faults, i), faults_happened(faults, i)));
	return list;
}

/* ---- chaos ----------------------------------------------------------------------- */

static const char *const triggers[CHAOS_TRIGGERS] = {
	[CHAOS_SENDER] = "Sender",
	[CHAOS_RECIPIENT] = "Recipient",
	[CHAOS_AUTHENTICATION] = "Authentication",
};

/* Mailpit's: what is not written is 0, and a code of 0 is the usual one. */
static int trigger_parse(struct chaos *c, json_t *object, const char *name, struct bytes *error)
{
	json_t *code = call_member(object, "ErrorCode");
	json_t *probability = call_member(object, "Probability");
	bool good = (code == NULL || json_is_integer(code)) &&
	            (probability == NULL || json_is_integer(probability));

	if (!json_is_object(object) || !good) {
		bytes_printf(error, "%s: write an ErrorCode and a Probability", name);
		return -1;
	}
	if (json_integer_value(code) != 0 &&
	    (json_integer_value(code) < 400 || json_integer_value(code) > 599)) {
		bytes_printf(error, "%s: error code must be between 400 and 599", name);
		return -1;
	}
	if (json_integer_value(probability) < 0 || json_integer_value(probability) > 100) {
		bytes_printf(error, "%s: probability must be between 0 and 100", name);
		return -1;
	}
	if (json_integer_value(code) != 0)
		c->code = (unsigned)json_integer_value(code);
	c->probability = (unsigned)json_integer_value(probability);
	return 0;
}

int chaos_parse(struct chaos chaos_r[CHAOS_TRIGGERS], json_t *body, struct bytes *error)
{
	if (!json_is_object(body)) {
		bytes_append_text(error, "write an object of triggers");
		return -1;
	}
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++) {
		json_t *trigger = call_member(body, triggers[i]);

		chaos_r[i] = chaos_default(i);
		if (trigger != NULL && !json_is_null(trigger) &&
		    trigger_parse(&chaos_r[i], trigger, triggers[i], error) != 0)
			return -1;
	}
	return 0;
}

json_t *chaos_describe(const struct chaos chaos[CHAOS_TRIGGERS])
{
	json_t *object = json_object();

	for (size_t i = 0; i < CHAOS_TRIGGERS; i++) {
		json_t *trigger = json_object();

		set_number(trigger, "ErrorCode", chaos[i].code);
		set_number(trigger, "Probability", chaos[i].probability);
		json_object_set_new(object, triggers[i], trigger);
	}
	return object;
}
