/* SPDX-License-Identifier: ISC */
/* language.c - the language as tables: which options there are, where their values live, their
 * bounds and defaults.
 *
 * What is known but not supported yet stands here too, so that it is named and refused instead
 * of being called unknown. How each kind of value is read and written is in setting.c.
 */
#include "config/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mail/header.h"

#define TABLE_END            \
	{                    \
		.name = NULL \
	}
#define LIMIT_COUNT INT64_C(1000000) /* descriptors and rows; beyond is a slip of the pen */
#define SECONDS(n)  ((n)*CLOCK_SEC)

static const struct choice listener_tls_choices[] = {
	{ "off", LISTENER_TLS_OFF, false },
	{ "starttls", LISTENER_TLS_STARTTLS, false },
	{ "required", LISTENER_TLS_REQUIRED, false },
	{ "implicit", LISTENER_TLS_IMPLICIT, false },
	{ NULL, 0, false },
};
static const struct choice auth_choices[] = {
	{ "off", AUTH_OFF, false },
	{ "any", AUTH_ANY, false },
	{ "optional", AUTH_OPTIONAL, false },
	{ "required", AUTH_REQUIRED, false },
	{ NULL, 0, false },
};
static const struct choice provider_auth_choices[] = {
	{ "auto", PROVIDER_AUTH_AUTO, false },
	{ "plain", PROVIDER_AUTH_PLAIN, false },
	{ "login", PROVIDER_AUTH_LOGIN, false },
	{ "cram-md5", PROVIDER_AUTH_CRAM_MD5, false },
	{ "scram-sha-256", PROVIDER_AUTH_SCRAM_SHA_256, false },
	{ "xoauth2", PROVIDER_AUTH_XOAUTH2, false },
	{ "oauthbearer", PROVIDER_AUTH_OAUTHBEARER, false },
	{ NULL, 0, false },
};
static const struct choice version_choices[] = {
	{ "1.2", false, false },
	{ "1.3", true, false },
	{ NULL, 0, false },
};
static const struct choice newline_choices[] = {
	{ "normalize", false, false },
	{ "reject", true, false },
	{ NULL, 0, false },
};
static const struct choice bounce_choices[] = {
	{ "sender", true, false },
	{ "log", false, false },
	{ NULL, 0, false },
};
/* The word for a duration of 0. */
static const struct choice off_choices[] = { { "off", 0, false }, { NULL, 0, false } };
static const struct choice balance_choices[] = {
	{ "order", BALANCE_ORDER, false },
	{ "weight", BALANCE_WEIGHT, false },
	{ "least-busy", BALANCE_LEAST_BUSY, false },
	{ NULL, 0, false },
};
static const struct choice return_choices[] = {
	{ "headers", false, false },
	{ "full", true, false },
	{ NULL, 0, false },
};
static const struct choice format_choices[] = {
	{ "text", LOG_FORMAT_TEXT, false },
	{ "json", LOG_FORMAT_JSON, false },
	{ NULL, 0, false },
};
static const struct choice level_choices[] = {
	{ "error", LOG_LEVEL_ERROR, false },
	{ "warning", LOG_LEVEL_WARNING, false },
	{ "info", LOG_LEVEL_INFO, false },
	{ "debug", LOG_LEVEL_DEBUG, false },
	{ NULL, 0, false },
};
static const struct choice target_choices[] = {
	{ "stderr", LOG_TO_STDERR, false },
	{ "journal", LOG_TO_JOURNAL, false },
	{ "syslog", LOG_TO_SYSLOG, false },
	{ NULL, 0, false },
};

static const struct choice means_choices[] = {
	{ "deliver", REPLY_MEANS_DELIVER, false },
	{ "defer", REPLY_MEANS_DEFER, false },
	{ "bounce", REPLY_MEANS_BOUNCE, false },
	{ "slow-down", REPLY_MEANS_SLOW_DOWN, false },
	{ "fewer-connections", REPLY_MEANS_FEWER_CONNECTIONS, false },
	{ "end-session", REPLY_MEANS_END_SESSION, false },
	{ "quota", REPLY_MEANS_QUOTA, false },
	{ "login-refused", REPLY_MEANS_LOGIN_REFUSED, false },
	{ "next-provider", REPLY_MEANS_NEXT_PROVIDER, false },
	{ "provider-down", REPLY_MEANS_PROVIDER_DOWN, false },
	{ NULL, 0, false },
};

#define SETTINGS(field) offsetof(struct settings, field)
static const struct setting root_options[] = {
	{ "hostname", SETTING_TEXT, SETTINGS(hostname), 0, 0, 0, NULL, NULL },
	{ "user", SETTING_TEXT, SETTINGS(user), 0, 0, 0, NULL, NULL },
	{ "workers", SETTING_COUNT, SETTINGS(workers), 0, 0, 256, NULL, "0" },
	{ "stop-timeout", SETTING_DURATION, SETTINGS(stop_timeout_us), 0, 0, CLOCK_HOUR, NULL,
	  "60s" },
	TABLE_END,
};
static const struct setting spool_options[] = {
	{ "path", SETTING_TEXT, SETTINGS(spool_path), 0, 0, 0, NULL, NULL },
	/* Below this LMDB's own pages are a good part of it. */
	{ "max-size", SETTING_SIZE, SETTINGS(spool_max_size), 0, 1 << 20, INT64_MAX, NULL,
	  "16GiB" },
	TABLE_END,
};
static const struct setting bounces_options[] = {
	{ "from", SETTING_TEXT, SETTINGS(bounce_from), 0, 0, 0, NULL, NULL },
	{ "return", SETTING_CHOICE_FLAG, SETTINGS(bounce_full), 0, 0, 0, return_choices,
	  "headers" },
	TABLE_END,
};
static const struct setting control_options[] = {
	{ "socket", SETTING_TEXT, SETTINGS(control_socket), 0, 0, 0, NULL, NULL },
	TABLE_END,
};
static const struct setting log_options[] = {
	{ "format", SETTING_CHOICE, SETTINGS(log_format), 0, 0, 0, format_choices, "text" },
	{ "level", SETTING_CHOICE, SETTINGS(log_level), 0, 0, 0, level_choices, "info" },
	{ "target", SETTING_CHOICE, SETTINGS(log_target), 0, 0, 0, target_choices, NULL },
	TABLE_END,
};

static const struct setting http_options[] = {
	{ "listen", SETTING_TEXTS, SETTINGS(http.listen.items), SETTINGS(http.listen.count), 0, 0,
	  NULL, NULL },
	{ "allow-host", SETTING_TEXTS, SETTINGS(http.allow_host.items),
	  SETTINGS(http.allow_host.count), 0, 0, NULL, NULL },
	{ "auth-file", SETTING_TEXT, SETTINGS(http.auth_file), 0, 0, 0, NULL, NULL },
	{ "token-file", SETTING_TEXT, SETTINGS(http.token_file), 0, 0, 0, NULL, NULL },
	{ "certificate", SETTING_TEXT, SETTINGS(http.certificate), 0, 0, 0, NULL, NULL },
	{ "key", SETTING_TEXT, SETTINGS(http.key), 0, 0, 0, NULL, NULL },
	{ "base-path", SETTING_TEXT, SETTINGS(http.base_path), 0, 0, 0, NULL, "/" },
	{ "max-connections", SETTING_COUNT, SETTINGS(http.max_connections), 0, 1, 100000, NULL,
	  "1000" },
	TABLE_END,
};

#define LISTENER(field) offsetof(struct listener_settings, field)
static const struct setting listen_options[] = {
	{ "tls", SETTING_CHOICE, LISTENER(tls), 0, 0, 0, listener_tls_choices, NULL },
	{ "certificate", SETTING_TEXT, LISTENER(certificate), 0, 0, 0, NULL, NULL },
	{ "key", SETTING_TEXT, LISTENER(key), 0, 0, 0, NULL, NULL },
	{ "auth", SETTING_CHOICE, LISTENER(auth), 0, 0, 0, auth_choices, "off" },
	{ "users", SETTING_TEXT, LISTENER(users), 0, 0, 0, NULL, NULL },
	{ "auth-without-tls", SETTING_FLAG, LISTENER(auth_without_tls), 0, 0, 0, NULL, "false" },
	{ "peer-users", SETTING_TEXTS, LISTENER(peer_users.items), LISTENER(peer_users.count), 0, 0,
	  NULL, NULL },
	{ "qualify", SETTING_FLAG, LISTENER(qualify), 0, 0, 0, NULL, "true" },
	{ "add-date", SETTING_FLAG, LISTENER(add_date), 0, 0, 0, NULL, NULL },
	{ "add-message-id", SETTING_FLAG, LISTENER(add_message_id), 0, 0, 0, NULL, NULL },
	{ "add-from", SETTING_FLAG, LISTENER(add_from), 0, 0, 0, NULL, NULL },
	{ "default-from", SETTING_TEXT, LISTENER(default_from), 0, 0, 0, NULL, NULL },
	{ "relay-from", SETTING_NETWORKS, LISTENER(relay_from), LISTENER(relay_from_count), 0, 0,
	  NULL, "127.0.0.0/8,::1" },
	{ "open-relay", SETTING_FLAG, LISTENER(open_relay), 0, 0, 0, NULL, "false" },
	{ "max-message-size", SETTING_SIZE, LISTENER(max_message_size), 0, 1024, INT64_C(1) << 40,
	  NULL, "50MiB" },
	/* RFC 5321 4.5.3.1.8 wants 100 at least. */
	{ "max-recipients", SETTING_COUNT, LISTENER(max_recipients), 0, 1, 50000, NULL, "1000" },
	{ "max-future-release", SETTING_DURATION, LISTENER(max_future_release_us), 0, 0,
	  365 * CLOCK_DAY, NULL, "7d" },
	{ "max-connections", SETTING_COUNT, LISTENER(max_connections), 0, 1, LIMIT_COUNT, NULL,
	  "10000" },
	{ "max-connections-per-client", SETTING_COUNT, LISTENER(max_connections_per_client), 0, 1,
	  LIMIT_COUNT, NULL, "1000" },
	/* RFC 5321 4.5.3.2.7: at least 5 minutes. */
	{ "idle-timeout", SETTING_DURATION, LISTENER(idle_timeout_us), 0, SECONDS(1), CLOCK_DAY,
	  NULL, "5min" },
	{ "bare-newline", SETTING_CHOICE_FLAG, LISTENER(reject_bare_newline), 0, 0, 0,
	  newline_choices, "normalize" },
	{ "max-header-size", SETTING_SIZE, LISTENER(max_header_size), 0, 1024, HEADER_MAX, NULL,
	  "128KiB" },
	/* Postfix's smtpd_min_data_rate: a modem of 1985 is faster, a slow-drip attack is not. */
	{ "min-data-rate", SETTING_SIZE, LISTENER(min_data_rate), 0, 0, 1 << 30, NULL, "500" },
	{ "rate-per-client", SETTING_RATES, LISTENER(client_rates), LISTENER(client_rate_count), 0,
	  0, NULL, NULL },
	{ "max-errors-per-client", SETTING_COUNT, LISTENER(max_errors_per_client), 0, 0,
	  LIMIT_COUNT, NULL, "300" },
	{ "proxy-protocol", SETTING_FLAG, LISTENER(proxy_protocol), 0, 0, 0, NULL, "false" },
	{ "proxy-from", SETTING_NETWORKS, LISTENER(proxy_from), LISTENER(proxy_from_count), 0, 0,
	  NULL, NULL },
	TABLE_END,
};

#define PROVIDER(field) offsetof(struct provider_settings, field)
static const struct setting provider_options[] = {
	{ "preset", SETTING_TEXT, PROVIDER(preset), 0, 0, 0, NULL, NULL },
	{ "region", SETTING_TEXT, PROVIDER(region), 0, 0, 0, NULL, NULL },
	{ "url", SETTING_TEXT, PROVIDER(url), 0, 0, 0, NULL, NULL },
	{ "auth", SETTING_CHOICE, PROVIDER(auth), 0, 0, 0, provider_auth_choices, "auto" },
	{ "login", SETTING_TEXT, PROVIDER(login), 0, 0, 0, NULL, NULL },
	{ "password-file", SETTING_TEXT, PROVIDER(password_file), 0, 0, 0, NULL, NULL },
	{ "password-env", SETTING_TEXT, PROVIDER(password_env), 0, 0, 0, NULL, NULL },
	{ "password-command", SETTING_TEXTS, PROVIDER(password_command.items),
	  PROVIDER(password_command.count), 0, 0, NULL, NULL },
	{ "password", SETTING_REFUSED, 0, 0, 0, 0, NULL, NULL },
	{ "tls-verify", SETTING_VERIFY, 0, 0, 0, 0, NULL, "full" },
	{ "tls-ca", SETTING_TEXT, PROVIDER(tls_ca), 0, 0, 0, NULL, NULL },
	{ "tls-min-version", SETTING_CHOICE_FLAG, PROVIDER(tls_1_3), 0, 0, 0, version_choices,
	  "1.2" },
	{ "tls-certificate", SETTING_TEXT, PROVIDER(tls_certificate), 0, 0, 0, NULL, NULL },
	{ "tls-key", SETTING_TEXT, PROVIDER(tls_key), 0, 0, 0, NULL, NULL },
	{ "connections", SETTING_COUNT, PROVIDER(connections), 0, 1, 1000, NULL, "10" },
	{ "messages-per-connection", SETTING_COUNT, PROVIDER(messages_per_connection), 0, 1,
	  LIMIT_COUNT, NULL, "100" },
	{ "recipients-per-message", SETTING_COUNT, PROVIDER(recipients_per_message), 0, 1, 10000,
	  NULL, "50" },
	{ "pipeline", SETTING_COUNT, PROVIDER(pipeline), 0, 1, 1000, NULL, "20" },
	{ "connect-timeout", SETTING_DURATION, PROVIDER(connect_timeout_us), 0, SECONDS(1),
	  CLOCK_HOUR, NULL, "10s" },
	{ "idle-timeout", SETTING_DURATION, PROVIDER(idle_timeout_us), 0, 0, CLOCK_DAY, NULL,
	  "60s" },
	{ "connection-age", SETTING_DURATION, PROVIDER(connection_age_us), 0, SECONDS(1), CLOCK_DAY,
	  NULL, "5min" },
	{ "rate", SETTING_RATES, PROVIDER(rates), PROVIDER(rate_count), 0, 0, NULL, NULL },
	{ "max-message-size", SETTING_SIZE, PROVIDER(max_message_size), 0, 1024, INT64_C(1) << 40,
	  NULL, NULL },
	{ "warm-up", SETTING_TEXTS, PROVIDER(warm_up_written.items),
	  PROVIDER(warm_up_written.count), 0, 0, NULL, NULL },
	{ "from-allowed", SETTING_TEXTS, PROVIDER(from_allowed.items), PROVIDER(from_allowed.count),
	  0, 0, NULL, NULL },
	{ "rewrite-from", SETTING_TEXT, PROVIDER(rewrite_from), 0, 0, 0, NULL, NULL },
	{ "adaptive", SETTING_FLAG, PROVIDER(adaptive), 0, 0, 0, NULL, "true" },
	{ "indeterminate-wait", SETTING_DURATION, PROVIDER(indeterminate_wait_us), 0, SECONDS(1),
	  30 * CLOCK_DAY, NULL, "1h" },
	TABLE_END,
};

#define REPLY(field) offsetof(struct reply_rule, field)
static const struct setting reply_options[] = {
	{ "means", SETTING_CHOICE, REPLY(means), 0, 0, 0, means_choices, NULL },
	{ "wait", SETTING_DURATION, REPLY(wait_us), 0, SECONDS(1), 7 * CLOCK_DAY, NULL, NULL },
	TABLE_END,
};

static const struct choice grant_choices[] = {
	{ "refresh-token", OAUTH2_REFRESH_TOKEN, false },
	{ "client-credentials", OAUTH2_CLIENT_CREDENTIALS, false },
	{ "service-account", OAUTH2_SERVICE_ACCOUNT, false },
	{ NULL, 0, false },
};
static const struct setting oauth2_options[] = {
	{ "grant", SETTING_CHOICE, PROVIDER(oauth2.grant), 0, 0, 0, grant_choices,
	  "refresh-token" },
	{ "token-url", SETTING_TEXT, PROVIDER(oauth2.token_url), 0, 0, 0, NULL, NULL },
	{ "authorize-url", SETTING_TEXT, PROVIDER(oauth2.authorize_url), 0, 0, 0, NULL, NULL },
	{ "client-id", SETTING_TEXT, PROVIDER(oauth2.client_id), 0, 0, 0, NULL, NULL },
	{ "client-secret-file", SETTING_TEXT, PROVIDER(oauth2.client_secret_file), 0, 0, 0, NULL,
	  NULL },
	{ "refresh-token-file", SETTING_TEXT, PROVIDER(oauth2.refresh_token_file), 0, 0, 0, NULL,
	  NULL },
	{ "scope", SETTING_TEXT, PROVIDER(oauth2.scope), 0, 0, 0, NULL, NULL },
	{ "service-account-file", SETTING_TEXT, PROVIDER(oauth2.service_account_file), 0, 0, 0,
	  NULL, NULL },
	{ "subject", SETTING_TEXT, PROVIDER(oauth2.subject), 0, 0, 0, NULL, NULL },
	{ "tls-ca", SETTING_TEXT, PROVIDER(oauth2.tls_ca), 0, 0, 0, NULL, NULL },
	{ "token-command", SETTING_TEXTS, PROVIDER(oauth2.token_command.items),
	  PROVIDER(oauth2.token_command.count), 0, 0, NULL, NULL },
	{ "client-secret", SETTING_REFUSED, 0, 0, 0, 0, NULL, NULL },
	{ "refresh-token", SETTING_REFUSED, 0, 0, 0, 0, NULL, NULL },
	TABLE_END,
};

#define ROUTE(field) offsetof(struct route_settings, field)
#define ROUTE_LIST(field)                                            \
	SETTING_TEXTS, offsetof(struct route_settings, field.items), \
		offsetof(struct route_settings, field.count), 0, 0, NULL, NULL
static const struct setting route_options[] = {
	{ "sender", ROUTE_LIST(sender) },
	{ "recipient", ROUTE_LIST(recipient) },
	{ "login", ROUTE_LIST(login) },
	{ "listener", ROUTE_LIST(listener) },
	{ "header", ROUTE_LIST(header) },
	{ "via", ROUTE_LIST(via_written) },
	{ "balance", SETTING_CHOICE, ROUTE(balance), 0, 0, 0, balance_choices, "order" },
	{ "priority", SETTING_PRIORITY, ROUTE(priority), 0, -9, 9, NULL, "0" },
	{ "retry", SETTING_DURATIONS, ROUTE(retry_us), ROUTE(retry_count), SECONDS(1), CLOCK_DAY,
	  NULL, "1min,5min,15min,1h" },
	{ "expire", SETTING_DURATION, ROUTE(expire_us), 0, SECONDS(1), 365 * CLOCK_DAY, NULL,
	  "5d" },
	{ "bounce", SETTING_CHOICE_FLAG, ROUTE(bounce_to_sender), 0, 0, 0, bounce_choices,
	  "sender" },
	{ "hold", SETTING_FLAG, ROUTE(hold), 0, 0, 0, NULL, "false" },
	{ "rate", SETTING_RATES, ROUTE(rates), ROUTE(rate_count), 0, 0, NULL, NULL },
	{ "stick", SETTING_DURATION, ROUTE(stick_us), 0, 0, 30 * CLOCK_DAY, NULL, "1h" },
	{ "rate-per-sender", SETTING_RATES, ROUTE(sender_rates), ROUTE(sender_rate_count), 0, 0,
	  NULL, NULL },
	{ "copy", SETTING_TEXT, ROUTE(copy), 0, 0, 0, NULL, NULL },
	{ "delay-warning", SETTING_DURATION, ROUTE(delay_warning_us), 0, SECONDS(1),
	  365 * CLOCK_DAY, off_choices, "off" },
	TABLE_END,
};

static const struct setting inbox_options[] = {
	{ "keep", SETTING_COUNT, offsetof(struct inbox_settings, keep), 0, 0, 100 * LIMIT_COUNT,
	  NULL, "500" },
	{ "max-age", SETTING_DURATION, offsetof(struct inbox_settings, max_age_us), 0, 0,
	  3650 * CLOCK_DAY, NULL, "0s" },
	{ "max-size", SETTING_SIZE, offsetof(struct inbox_settings, max_size), 0, 0, INT64_MAX,
	  NULL, NULL },
	{ "release", SETTING_TEXT, offsetof(struct inbox_settings, release), 0, 0, 0, NULL, NULL },
	{ "tag-login", SETTING_FLAG, offsetof(struct inbox_settings, tag_login), 0, 0, 0, NULL,
	  "false" },
	TABLE_END,
};

static const struct setting tag_options[] = {
	{ "query", SETTING_TEXTS, offsetof(struct tag_settings, query.items),
	  offsetof(struct tag_settings, query.count), 0, 0, NULL, NULL },
	{ "inbox", SETTING_TEXT, offsetof(struct tag_settings, inbox), 0, 0, 0, NULL, NULL },
	TABLE_END,
};

static const struct setting login_options[] = {
	{ "sender", SETTING_TEXTS, offsetof(struct login_settings, sender.items),
	  offsetof(struct login_settings, sender.count), 0, 0, NULL, NULL },
	TABLE_END,
};
static const struct setting alias_options[] = {
	{ "to", SETTING_TEXTS, offsetof(struct alias_settings, to.items),
	  offsetof(struct alias_settings, to.count), 0, 0, NULL, NULL },
	TABLE_END,
};

#define PLAIN(text, table)                                \
	{                                                 \
		text, table, false, SECTION_ROOT, 0, 0, 0 \
	}
#define TITLED(text, table, type, array, number)                                                 \
	{                                                                                        \
		text, table, true, SECTION_ROOT, SETTINGS(array), SETTINGS(number), sizeof(type) \
	}
#define NESTED(text, table, inside)                 \
	{                                           \
		text, table, false, inside, 0, 0, 0 \
	}

const struct section_spec section_specs[SECTION_COUNT] = {
	[SECTION_ROOT] = PLAIN("root", root_options),
	[SECTION_SPOOL] = PLAIN("spool", spool_options),
	[SECTION_LISTEN] = TITLED("listen", listen_options, struct listener_settings, listeners,
	                          listener_count),
	[SECTION_PROVIDER] = TITLED("provider", provider_options, struct provider_settings,
	                            providers, provider_count),
	[SECTION_ROUTE] =
		TITLED("route", route_options, struct route_settings, routes, route_count),
	[SECTION_LOGIN] =
		TITLED("login", login_options, struct login_settings, logins, login_count),
	[SECTION_ALIAS] =
		TITLED("alias", alias_options, struct alias_settings, aliases, alias_count),
	[SECTION_BOUNCES] = PLAIN("bounces", bounces_options),
	[SECTION_CONTROL] = PLAIN("control", control_options),
	[SECTION_INBOX] =
		TITLED("inbox", inbox_options, struct inbox_settings, inboxes, inbox_count),
	[SECTION_TAG] = TITLED("tag", tag_options, struct tag_settings, tags, tag_count),
	[SECTION_LOG] = PLAIN("log", log_options),
	[SECTION_OAUTH2] = NESTED("oauth2", oauth2_options, SECTION_PROVIDER),
	[SECTION_REPLY] = { "reply", reply_options, true, SECTION_PROVIDER, SETTINGS(replies),
	                    SETTINGS(reply_count), sizeof(struct reply_rule) },
	[SECTION_HTTP] = PLAIN("http", http_options),
};

const struct setting *setting_find(enum section section, const char *name)
{
	for (const struct setting *o = section_specs[section].options; o->name != NULL; o++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

/* --- where a section's values live --- */

static size_t *count_of(struct settings *s, enum section section)
{
	return (size_t *)(void *)((char *)s + section_specs[section].count_offset);
}

static char **array_of(struct settings *s, enum section section)
{
	return (char **)(void *)((char *)s + section_specs[section].array_offset);
}

bool section_is_inside(enum section section)
{
	return section_specs[section].parent != SECTION_ROOT && !section_specs[section].titled;
}

size_t section_count(const struct settings *s, enum section section)
{
	if (section_is_inside(section))
		return section_count(s, section_specs[section].parent);
	if (!section_specs[section].titled)
		return 1;
	return *(const size_t *)(const void *)((const char *)s +
	                                       section_specs[section].count_offset);
}

void *section_target(struct settings *s, enum section section, size_t index)
{
	if (section_is_inside(section))
		return section_target(s, section_specs[section].parent, index);
	if (!section_specs[section].titled)
		return s;
	return *array_of(s, section) + index * section_specs[section].size;
}

const char *section_title(const struct settings *s, enum section section, size_t index)
{
	const char *array;

	if (section_is_inside(section))
		return section_title(s, section_specs[section].parent, index);
	if (!section_specs[section].titled)
		return NULL;
	array = *(char *const *)(const void *)((const char *)s +
	                                       section_specs[section].array_offset);
	/* The name is the first field of each titled section's struct. */
	return *(char *const *)(const void *)(array + index * section_specs[section].size);
}

size_t section_add(struct settings *s, enum section section, const char *title)
{
	const struct section_spec *spec = &section_specs[section];
	size_t *count = count_of(s, section);
	char **array = array_of(s, section);
	char *added;

	*array = memory_grow(*array, *count + 1, spec->size);
	added = *array + *count * spec->size;
	memset(added, 0, spec->size);
	*(char **)(void *)added = memory_text(title);
	return (*count)++;
}

/* --- the nearest known name --- */

#define NAME_COMPARED 32

/* Levenshtein's distance; long names are cut, they are far from everything anyway. */
static size_t name_distance(const char *a, const char *b)
{
	size_t row[NAME_COMPARED + 1];
	size_t columns = strnlen(b, NAME_COMPARED);

	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 1; i <= strnlen(a, NAME_COMPARED); i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			size_t replace = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = row[j] + 1 < replace ? row[j] + 1 : replace;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
		}
	}
	return row[columns];
}

const char *nearest_name(const char *name, const char *candidate, const char *best)
{
	size_t distance = name_distance(name, candidate);
	size_t length = strlen(name);

	if (distance > (length < 6 ? 2u : 3u) || distance >= length)
		return best;
	return best == NULL || distance < name_distance(name, best) ? candidate : best;
}

const char *setting_nearest(enum section section, const char *name)
{
	const char *best = NULL;

	for (const struct setting *o = section_specs[section].options; o->name != NULL; o++)
		best = nearest_name(name, o->name, best);
	for (int i = SECTION_ROOT + 1; i < SECTION_COUNT; i++) {
		if (section_specs[i].parent == section)
			best = nearest_name(name, section_specs[i].name, best);
	}
	return best;
}
