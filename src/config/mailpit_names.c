/* SPDX-License-Identifier: ISC */
/* mailpit_names.c - Mailpit's variables, MP_..., as further names of our options with --catch.
 *
 * What a variable asks for that is how we are anyway is passed over; the rest of those that Mailpit
 * knows is named in one note. Others are none of our business. Container files quote wrongly: one
 * pair of quotes around a value is taken off.
 */
#include "config/private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

#define RELAY_PORT "25" /* Mailpit's default */

enum meaning {
	IGNORED,  /* not supported: told of, unless it says no */
	GRANTED,  /* we are so anyway */
	REFUSED,  /* ignoring it would open a door that its user wants shut */
	ADDRESS,  /* in the overrides: a list of addresses, */
	PATH,     /* or a path */
	OPTION,   /* of the language; in every listener when it is a listener's */
	WORD,     /* the same with a word of ours when it says yes */
	MEBIBYTES /* the same, a number of them */
};

static const struct {
	const char *name;
	enum meaning meaning;
	enum section section;
	const char *option, *word;
	size_t offset; /* in struct overrides */
} names[] = {
	{ "MP_SMTP_BIND_ADDR", ADDRESS, 0, NULL, NULL, offsetof(struct overrides, smtp) },
	{ "MP_UI_BIND_ADDR", ADDRESS, 0, NULL, NULL, offsetof(struct overrides, http) },
	{ "MP_DATABASE", PATH, 0, NULL, NULL, offsetof(struct overrides, spool) },
	{ "MP_DATA_FILE", PATH, 0, NULL, NULL, offsetof(struct overrides, spool) },
	{ "MP_MAX_MESSAGES", OPTION, SECTION_INBOX, "keep", NULL, 0 },
	{ "MP_MAX_AGE", OPTION, SECTION_INBOX, "max-age", NULL, 0 },
	{ "MP_MAX_MESSAGE_SIZE", MEBIBYTES, SECTION_LISTEN, "max-message-size", NULL, 0 },
	{ "MP_SMTP_MAX_RECIPIENTS", OPTION, SECTION_LISTEN, "max-recipients", NULL, 0 },
	{ "MP_SMTP_TLS_CERT", OPTION, SECTION_LISTEN, "certificate", NULL, 0 },
	{ "MP_SMTP_SSL_CERT", OPTION, SECTION_LISTEN, "certificate", NULL, 0 },
	{ "MP_SMTP_CERT", OPTION, SECTION_LISTEN, "certificate", NULL, 0 },
	{ "MP_SMTP_TLS_KEY", OPTION, SECTION_LISTEN, "key", NULL, 0 },
	{ "MP_SMTP_SSL_KEY", OPTION, SECTION_LISTEN, "key", NULL, 0 },
	{ "MP_SMTP_SMTP_KEY", OPTION, SECTION_LISTEN, "key", NULL, 0 },
	{ "MP_SMTP_KEY", OPTION, SECTION_LISTEN, "key", NULL, 0 },
	{ "MP_SMTP_REQUIRE_STARTTLS", WORD, SECTION_LISTEN, "tls", "required", 0 },
	{ "MP_SMTP_TLS_REQUIRED", WORD, SECTION_LISTEN, "tls", "required", 0 },
	{ "MP_SMTP_REQUIRE_TLS", WORD, SECTION_LISTEN, "tls", "implicit", 0 },
	{ "MP_UI_AUTH_FILE", OPTION, SECTION_HTTP, "auth-file", NULL, 0 },
	{ "MP_UI_AUTH", REFUSED, 0, "MP_UI_AUTH_FILE", NULL, 0 },
	{ "MP_UI_TLS_CERT", OPTION, SECTION_HTTP, "certificate", NULL, 0 },
	{ "MP_UI_SSL_CERT", OPTION, SECTION_HTTP, "certificate", NULL, 0 },
	{ "MP_UI_TLS_KEY", OPTION, SECTION_HTTP, "key", NULL, 0 },
	{ "MP_UI_SSL_KEY", OPTION, SECTION_HTTP, "key", NULL, 0 },
	{ "MP_WEBROOT", OPTION, SECTION_HTTP, "base-path", NULL, 0 },
	/* mailpit_relay() reads these. */
	{ "MP_SMTP_RELAY_HOST", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_RELAY_PORT", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_RELAY_TLS", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_RELAY_STARTTLS", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_RELAY_AUTH", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_RELAY_USERNAME", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_RELAY_PASSWORD", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_RELAY_SECRET", GRANTED, 0, NULL, NULL, 0 },
	/* chaos_prepare() reads these. */
	{ "MP_ENABLE_CHAOS", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_CHAOS_TRIGGERS", GRANTED, 0, NULL, NULL, 0 },
	/* penstock sendmail reads these. */
	{ "MP_SENDMAIL_FROM", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SENDMAIL_SMTP_ADDR", GRANTED, 0, NULL, NULL, 0 },
	/* Every login is taken, also in clear; no name is looked up; nothing is fetched. */
	{ "MP_SMTP_AUTH_ACCEPT_ANY", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_AUTH_ALLOW_INSECURE", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_DISABLE_RDNS", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_DISABLE_VERSION_CHECK", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_DISABLE_HTML_CHECK", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_DISABLE_WAL", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_DISABLE_AUTO_VACUUM", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_DISABLE_HTTP_COMPRESSION", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_DISABLE_LINK_CHECK_RATE_LIMIT", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_BLOCK_REMOTE_CSS_AND_FONTS", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_COMPRESSION", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_ENABLE_PROMETHEUS", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_QUIET", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_VERBOSE", GRANTED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_FORWARD_", IGNORED, 0, NULL, NULL, 0 }, /* all that begin so */
	{ "MP_SMTP_RELAY_", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_POP3_", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_WEBHOOK_", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_SEND_API_AUTH", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_TAGS_", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_ALLOW_INTERNAL_HTTP_REQUESTS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_ALLOW_UNTRUSTED_TLS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_API_CORS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_DEMO_MODE", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_ENABLE_SPAMASSASSIN", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_HIDE_DELETE_ALL_BUTTON", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_IGNORE_DUPLICATE_IDS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_LABEL", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_LOG_FILE", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_ALLOWED_RECIPIENTS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_AUTH", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_IGNORE_REJECTED_RECIPIENTS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_SMTP_STRICT_RFC_HEADERS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_STRICT_RFC_HEADERS", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_TAG", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_TENANT_ID", IGNORED, 0, NULL, NULL, 0 },
	{ "MP_USE_MESSAGE_DATES", IGNORED, 0, NULL, NULL, 0 },
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* ---- reading ------------------------------------------------------------------ */

/* A name of the table that ends in '_' stands for all that begin with it. */
static size_t find(const char *name, size_t length)
{
	for (size_t i = 0; i < NAMES; i++) {
		size_t known = strlen(names[i].name);

		if (strncmp(names[i].name, name, known) == 0 &&
		    (known == length || (known < length && names[i].name[known - 1] == '_')))
			return i;
	}
	return NAMES;
}

void mailpit_read(struct overrides *over, const char *entry)
{
	const char *value = strchr(entry, '=');
	struct bytes kept = { 0 };
	size_t length;

	if (value == NULL || find(entry, (size_t)(value - entry)) == NAMES)
		return;
	length = strlen(++value);
	if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
		value++;
		length -= 2;
	}
	bytes_append(&kept, entry, (size_t)(strchr(entry, '=') - entry) + 1);
	bytes_append(&kept, value, length);
	if (length > 0)
		text_list_add(&over->mailpit, bytes_text(&kept));
	bytes_release(&kept);
}

/* The value of a variable that was read; NULL: it is not set. */
static const char *value_of(const struct overrides *over, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < over->mailpit.count; i++) {
		const char *entry = over->mailpit.items[i];

		if (strncmp(entry, name, length) == 0 && entry[length] == '=')
			return entry + length + 1;
	}
	return NULL;
}

static bool says_yes(const char *value)
{
	static const char *const words[] = { "1", "true", "yes", "on", "y", "t" };

	for (size_t i = 0; value != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i]) == 0)
			return true;
	return false;
}

static bool says_no(const char *value)
{
	static const char *const words[] = { "0", "false", "no", "off", "n", "f" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i]) == 0)
			return true;
	return false;
}

/* ---- what they override --------------------------------------------------------- */

/* Lives as long as what was read. */
static const char *keep(struct overrides *over, struct bytes *text)
{
	text_list_add(&over->mailpit, bytes_text(text));
	bytes_release(text);
	return over->mailpit.items[over->mailpit.count - 1];
}

static void append_escaped(struct bytes *url, const char *text)
{
	for (; *text != '\0'; text++)
		if (strchr("@/:%?#", *text) != NULL || *text <= ' ')
			bytes_printf(url, "%%%02X", (unsigned char)*text);
		else
			bytes_append_char(url, *text);
}

static void relay_prepare(struct overrides *over)
{
	const char *host = value_of(over, "MP_SMTP_RELAY_HOST");
	const char *port = value_of(over, "MP_SMTP_RELAY_PORT");
	const char *user = value_of(over, "MP_SMTP_RELAY_USERNAME");
	const char *login = value_of(over, "MP_SMTP_RELAY_AUTH");
	struct bytes url = { 0 };

	if (over->relay != NULL || host == NULL)
		return;
	bytes_append_text(&url, says_yes(value_of(over, "MP_SMTP_RELAY_TLS"))        ? "smtps://"
	                        : says_yes(value_of(over, "MP_SMTP_RELAY_STARTTLS")) ? "smtp+tls://"
	                                                                             : "smtp://");
	if (user != NULL && login != NULL && strcasecmp(login, "none") != 0) {
		append_escaped(&url, user);
		bytes_append_char(&url, '@');
	}
	bytes_printf(&url, "%s:%s", host, port == NULL ? RELAY_PORT : port);
	over->relay = keep(over, &url);
}

/* Go takes ":1025" for every address. */
static void address_prepare(struct text_list *list, const char *value)
{
	struct bytes whole = { 0 };

	if (list->count > 0)
		return;
	bytes_printf(&whole, "%s%s", *value == ':' ? "0.0.0.0" : "", value);
	text_list_add(list, bytes_text(&whole));
	bytes_release(&whole);
}

/* Their database is a file, our spool a directory: it lies beside it. */
static void path_prepare(struct overrides *over, const char **path, const char *value)
{
	struct bytes whole = { 0 };

	if (*path != NULL)
		return;
	bytes_printf(&whole, "%s.penstock", value);
	*path = keep(over, &whole);
}

static void chaos_prepare(struct overrides *over)
{
	const char *triggers = value_of(over, "MP_CHAOS_TRIGGERS");

	if (over->chaos == NULL && says_yes(value_of(over, "MP_ENABLE_CHAOS")))
		over->chaos = triggers == NULL ? "" : triggers;
}

void mailpit_prepare(struct overrides *over)
{
	size_t count = over->mailpit.count;

	for (size_t i = 0; i < count && over->catch_all; i++) {
		const char *name = over->mailpit.items[i];
		size_t length = strcspn(name, "="), at = find(name, length);
		void *field = (char *)over + names[at].offset;

		if (names[at].meaning == ADDRESS)
			address_prepare(field, name + length + 1);
		else if (names[at].meaning == PATH)
			path_prepare(over, field, name + length + 1);
	}
	if (!over->catch_all)
		return;
	relay_prepare(over);
	chaos_prepare(over);
}

/* ---- what they set -------------------------------------------------------------- */

static void set(struct settings *s, size_t at, const char *value, const char *argument,
                struct problems *problems)
{
	const struct setting *o = setting_find(names[at].section, names[at].option);
	size_t count = names[at].section == SECTION_LISTEN ? s->listener_count : 1;

	/* The command line is stronger. */
	for (size_t i = 0; i < count; i++)
		if (origin_find(s, names[at].section, i, o) == NULL ||
		    names[at].section == SECTION_LISTEN)
			override_apply(s, names[at].section, i, names[at].option, value, argument,
			               problems);
}

/* The first inbox is the one that is always there. */
static void inbox_ensure(struct settings *s)
{
	if (s->inbox_count == 0)
		section_add(s, SECTION_INBOX, "default");
}

static void apply_one(struct settings *s, size_t at, const char *entry, const char *value,
                      struct bytes *ignored, struct problems *problems)
{
	const struct setting *o = names[at].option == NULL || names[at].meaning == REFUSED
	                                  ? NULL
	                                  : setting_find(names[at].section, names[at].option);
	char *name = memory_text_of(entry, strcspn(entry, "="));
	const char *argument = names[at].name;
	struct bytes text = { 0 };

	if (names[at].section == SECTION_INBOX)
		inbox_ensure(s);
	if (names[at].meaning == REFUSED) {
		problem(problems,
		        "%s: passwords in the environment are not taken: write them hashed into a "
		        "file, as htpasswd does, and name it with %s",
		        name, names[at].option);
	} else if (names[at].meaning == IGNORED || (o != NULL && o->kind == SETTING_UNSUPPORTED)) {
		if (!says_no(value))
			bytes_printf(ignored, "%s%s", ignored->length > 0 ? ", " : "", name);
	} else if (names[at].meaning == OPTION) {
		set(s, at, value, argument, problems);
	} else if (names[at].meaning == WORD && says_yes(value)) {
		set(s, at, names[at].word, argument, problems);
	} else if (names[at].meaning == MEBIBYTES && strcmp(value, "0") != 0) {
		bytes_printf(&text, "%sMiB", value);
		set(s, at, bytes_text(&text), argument, problems);
	}
	bytes_release(&text);
	free(name);
}

void mailpit_apply(struct settings *s, const struct overrides *over, struct problems *problems)
{
	struct bytes ignored = { 0 };

	for (size_t i = 0; i < over->mailpit.count; i++) {
		const char *entry = over->mailpit.items[i];
		size_t length = strcspn(entry, "=");

		/* What was made of them is no variable. */
		if (find(entry, length) < NAMES)
			apply_one(s, find(entry, length), entry, entry + length + 1, &ignored,
			          problems);
	}
	if (ignored.length > 0)
		note(problems, "%s: are not supported, and ignored", bytes_text(&ignored));
	bytes_release(&ignored);
}
