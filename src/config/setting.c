/* SPDX-License-Identifier: ISC */
/* setting.c - one kind of value each: from the text of the language into a field, and back.
 *
 * The text is what the configuration says between the quotes; the same functions take the
 * defaults and the command line, so a value means the same wherever it is written.
 */
#include "config/private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/memory.h"
#include "config/values.h"

#define FIELD(type, target, offset) (*(type *)(void *)((char *)(target) + (offset)))
#define FIELD_CONST(type, target, offset) \
	(*(const type *)(const void *)((const char *)(target) + (offset)))

void text_list_add(struct text_list *list, const char *text)
{
	list->items = memory_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = memory_text(text);
}

void text_list_release(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

static int wrong(struct bytes *cure, const char *text)
{
	bytes_append_text(cure, text);
	return -1;
}

static int set_text(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	(void)cure;
	text_set(&FIELD(char *, target, o->offset), memory_text(text));
	return 0;
}

static int set_flag(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	if (strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0)
		FIELD(bool, target, o->offset) = true;
	else if (strcasecmp(text, "false") == 0 || strcasecmp(text, "no") == 0)
		FIELD(bool, target, o->offset) = false;
	else
		return wrong(cure, "write true or false");
	return 0;
}

static int set_count(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	uint64_t number;

	if (number_read(&number, &text) != 0 || *text != '\0' || number < (uint64_t)o->min ||
	    number > (uint64_t)o->max) {
		bytes_printf(cure, "write a number from %lld to %lld", (long long)o->min,
		             (long long)o->max);
		return -1;
	}
	FIELD(size_t, target, o->offset) = (size_t)number;
	return 0;
}

static int set_priority(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	bool negative = *text == '-';
	uint64_t number;

	text += negative;
	if (number_read(&number, &text) != 0 || *text != '\0' || number > 9)
		return wrong(cure, "write a number from -9 to 9");
	FIELD(int, target, o->offset) = negative ? -(int)number : (int)number;
	return 0;
}

static int set_size(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	const char *error;
	uint64_t size;

	if (size_parse(&size, text, &error) != 0)
		return wrong(cure, error);
	if (size < (uint64_t)o->min || size > (uint64_t)o->max) {
		bytes_append_text(cure, "write a size of at least ");
		size_format((uint64_t)o->min, cure);
		if (o->max != INT64_MAX) {
			bytes_append_text(cure, " and at most ");
			size_format((uint64_t)o->max, cure);
		}
		return -1;
	}
	FIELD(uint64_t, target, o->offset) = size;
	return 0;
}

static int read_duration(const struct setting *o, int64_t *us_r, const char *text,
                         struct bytes *cure)
{
	const char *error;

	if (duration_parse(us_r, text, &error) != 0)
		return wrong(cure, error);
	if (*us_r < o->min || *us_r > o->max) {
		bytes_append_text(cure, "write a duration from ");
		duration_format(o->min, cure);
		bytes_append_text(cure, " to ");
		duration_format(o->max, cure);
		return -1;
	}
	return 0;
}

static int set_duration(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	int64_t *us = &FIELD(int64_t, target, o->offset);

	if (o->choices == NULL)
		return read_duration(o, us, text, cure);
	if (strcmp(text, o->choices->name) == 0) {
		*us = 0;
		return 0;
	}
	if (read_duration(o, us, text, cure) == 0)
		return 0;
	bytes_printf(cure, ", or \"%s\"", o->choices->name);
	return -1;
}

static int choose(const struct setting *o, const char *text, int *value_r, struct bytes *cure)
{
	const char *separator = "write ";

	for (const struct choice *c = o->choices; c->name != NULL; c++) {
		if (strcmp(c->name, text) != 0)
			continue;
		*value_r = c->value;
		return c->unsupported ? wrong(cure, "not supported yet") : 0;
	}
	for (const struct choice *c = o->choices; c->name != NULL; c++) {
		if (c->unsupported)
			continue;
		bytes_printf(cure, "%s\"%s\"", separator, c->name);
		separator = " or ";
	}
	return -1;
}

static int set_choice(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	int value;

	if (choose(o, text, &value, cure) != 0)
		return -1;
	/* Our enums have no negative values: all are unsigned int to the compiler. */
	FIELD(unsigned, target, o->offset) = (unsigned)value;
	return 0;
}

static int set_choice_flag(const struct setting *o, void *target, const char *text,
                           struct bytes *cure)
{
	int value;

	if (choose(o, text, &value, cure) != 0)
		return -1;
	FIELD(bool, target, o->offset) = value != 0;
	return 0;
}

static bool pin_is_valid(const char *pin)
{
	struct bytes digest = { 0 };
	bool valid = base64_decode(&digest, span_of_text(pin)) == 0 &&
	             digest.length == DIGEST_SHA256_SIZE;

	bytes_release(&digest);
	return valid;
}

static int set_verify(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	static const char pin[] = "pin:sha256/";
	struct provider_settings *p = target;

	(void)o;
	if (strcmp(text, "full") == 0) {
		p->verify = TLS_VERIFY_FULL;
	} else if (strcmp(text, "ca") == 0) {
		p->verify = TLS_VERIFY_CA;
	} else if (strcmp(text, "off") == 0) {
		p->verify = TLS_VERIFY_OFF;
	} else if (strncmp(text, pin, sizeof(pin) - 1) == 0 &&
	           pin_is_valid(text + sizeof(pin) - 1)) {
		p->verify = TLS_VERIFY_PIN;
		text_set(&p->tls_pin, memory_text(text + sizeof(pin) - 1));
	} else {
		return wrong(cure,
		             "write \"full\", \"ca\", \"off\" or \"pin:sha256/\" and the base64 "
		             "SHA-256 of the server's public key");
	}
	return 0;
}

/* Makes room for one more element of a list; returns it. */
static void *list_add(const struct setting *o, void *target, size_t size)
{
	size_t *count = &FIELD(size_t, target, o->count_offset);
	void **list = &FIELD(void *, target, o->offset);
	char *added;

	*list = memory_grow(*list, *count + 1, size);
	added = (char *)*list + *count * size;
	memset(added, 0, size);
	(*count)++;
	return added;
}

static int set_texts(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	(void)cure;
	*(char **)list_add(o, target, sizeof(char *)) = memory_text(text);
	return 0;
}

static int set_durations(const struct setting *o, void *target, const char *text,
                         struct bytes *cure)
{
	int64_t us;

	if (read_duration(o, &us, text, cure) != 0)
		return -1;
	*(int64_t *)list_add(o, target, sizeof(us)) = us;
	return 0;
}

static int set_rates(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	const char *error;
	struct rate rate;

	if (rate_parse(&rate, text, &error) != 0)
		return wrong(cure, error);
	*(struct rate *)list_add(o, target, sizeof(rate)) = rate;
	return 0;
}

static int set_networks(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	const char *error;
	struct network net;

	if (network_parse(&net, text, &error) != 0)
		return wrong(cure, error);
	*(struct network *)list_add(o, target, sizeof(net)) = net;
	return 0;
}

static int set_unsupported(const struct setting *o, void *target, const char *text,
                           struct bytes *cure)
{
	(void)o;
	(void)target;
	(void)text;
	return wrong(cure, "not supported yet");
}

static int set_refused(const struct setting *o, void *target, const char *text, struct bytes *cure)
{
	(void)o;
	(void)target;
	(void)text;
	return wrong(cure, "a password does not belong in this file: write password-file = "
	                   "\"FILE\" or password-env = \"NAME\"");
}

typedef int setting_setter(const struct setting *o, void *target, const char *text,
                           struct bytes *cure);
static setting_setter *const setters[] = {
	[SETTING_TEXT] = set_text,           [SETTING_FLAG] = set_flag,
	[SETTING_COUNT] = set_count,         [SETTING_PRIORITY] = set_priority,
	[SETTING_SIZE] = set_size,           [SETTING_DURATION] = set_duration,
	[SETTING_CHOICE] = set_choice,       [SETTING_CHOICE_FLAG] = set_choice_flag,
	[SETTING_VERIFY] = set_verify,       [SETTING_TEXTS] = set_texts,
	[SETTING_DURATIONS] = set_durations, [SETTING_RATES] = set_rates,
	[SETTING_NETWORKS] = set_networks,   [SETTING_UNSUPPORTED] = set_unsupported,
	[SETTING_REFUSED] = set_refused,
};

bool setting_is_list(const struct setting *option)
{
	return option->kind >= SETTING_TEXTS && option->kind <= SETTING_UNSUPPORTED;
}

static int text_check(const char *text, struct bytes *cure)
{
	if (*text == '\0')
		return wrong(cure, "is empty (an unset ${VARIABLE} is empty, too)");
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return wrong(cure, "holds a line break or another control character");
	}
	return 0;
}

int setting_set(const struct setting *option, void *target, const char *text, struct bytes *cure)
{
	if (option->kind < SETTING_UNSUPPORTED && text_check(text, cure) != 0)
		return -1;
	return setters[option->kind](option, target, text, cure);
}

/* --- printing --- */

void string_print(const char *text, struct bytes *out)
{
	bytes_append_char(out, '"');
	for (; *text != '\0'; text++) {
		if (strchr("\"\\$", *text) != NULL)
			bytes_append_char(out, '\\');
		bytes_append_char(out, *text);
	}
	bytes_append_char(out, '"');
}

static const char *choice_name(const struct choice *choices, int value)
{
	while (choices->name != NULL && choices->value != value)
		choices++;
	return choices->name == NULL ? "" : choices->name;
}

static void item_print(const struct setting *o, const void *list, size_t i, struct bytes *out)
{
	struct bytes text = { 0 };

	switch (o->kind) {
	case SETTING_TEXTS:
		bytes_append_text(&text, ((char *const *)list)[i]);
		break;
	case SETTING_DURATIONS:
		duration_format(((const int64_t *)list)[i], &text);
		break;
	case SETTING_RATES:
		rate_format(&((const struct rate *)list)[i], &text);
		break;
	default:
		network_format(&((const struct network *)list)[i], &text);
		break;
	}
	string_print(bytes_text(&text), out);
	bytes_release(&text);
}

static void list_print(const struct setting *o, const void *target, struct bytes *out)
{
	size_t count = FIELD_CONST(size_t, target, o->count_offset);
	const void *list = FIELD_CONST(void *, target, o->offset);

	for (size_t i = 0; i < count; i++) {
		bytes_append_text(out, i == 0 ? "{ " : ", ");
		item_print(o, list, i, out);
	}
	if (count > 0)
		bytes_append_text(out, " }");
}

static void verify_print(const struct provider_settings *p, struct bytes *out)
{
	static const char *const names[] = {
		[TLS_VERIFY_FULL] = "full",
		[TLS_VERIFY_CA] = "ca",
		[TLS_VERIFY_PIN] = "pin:sha256/",
		[TLS_VERIFY_OFF] = "off",
	};

	bytes_printf(out, "\"%s%s\"", names[p->verify],
	             p->verify == TLS_VERIFY_PIN ? p->tls_pin : "");
}

static void quoted_print(void (*format)(struct bytes *out, const struct setting *o,
                                        const void *target),
                         const struct setting *o, const void *target, struct bytes *out)
{
	bytes_append_char(out, '"');
	format(out, o, target);
	bytes_append_char(out, '"');
}

static void size_text(struct bytes *out, const struct setting *o, const void *target)
{
	size_format(FIELD_CONST(uint64_t, target, o->offset), out);
}

static void duration_text(struct bytes *out, const struct setting *o, const void *target)
{
	if (o->choices != NULL && FIELD_CONST(int64_t, target, o->offset) == 0)
		bytes_append_text(out, o->choices->name);
	else
		duration_format(FIELD_CONST(int64_t, target, o->offset), out);
}

void setting_print(const struct setting *o, const void *target, struct bytes *out)
{
	const char *text;

	switch (o->kind) {
	case SETTING_TEXT:
		text = FIELD_CONST(char *, target, o->offset);
		if (text != NULL)
			string_print(text, out);
		break;
	case SETTING_FLAG:
		bytes_append_text(out, FIELD_CONST(bool, target, o->offset) ? "true" : "false");
		break;
	case SETTING_COUNT:
		bytes_printf(out, "%zu", FIELD_CONST(size_t, target, o->offset));
		break;
	case SETTING_PRIORITY:
		bytes_printf(out, "%d", FIELD_CONST(int, target, o->offset));
		break;
	case SETTING_SIZE:
		if (FIELD_CONST(uint64_t, target, o->offset) > 0) /* 0: not known */
			quoted_print(size_text, o, target, out);
		break;
	case SETTING_DURATION:
		quoted_print(duration_text, o, target, out);
		break;
	case SETTING_CHOICE:
		string_print(choice_name(o->choices, (int)FIELD_CONST(unsigned, target, o->offset)),
		             out);
		break;
	case SETTING_CHOICE_FLAG:
		string_print(choice_name(o->choices, FIELD_CONST(bool, target, o->offset)), out);
		break;
	case SETTING_VERIFY:
		verify_print(target, out);
		break;
	case SETTING_TEXTS:
	case SETTING_DURATIONS:
	case SETTING_RATES:
	case SETTING_NETWORKS:
		list_print(o, target, out);
		break;
	case SETTING_UNSUPPORTED:
	case SETTING_REFUSED:
		break;
	}
}
