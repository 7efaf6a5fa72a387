/* SPDX-License-Identifier: ISC */
/* status.c - penstock status, reload and stop. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

static void print_uptime(long long seconds)
{
	if (seconds < 60)
		printf("%lld s", seconds);
	else if (seconds < 3600)
		printf("%lld min", seconds / 60);
	else if (seconds < 86400)
		printf("%lld h %lld min", seconds / 3600, seconds % 3600 / 60);
	else
		printf("%lld d %lld h", seconds / 86400, seconds % 86400 / 3600);
}

static void print_spool(const json_t *status)
{
	const json_t *spool = json_object_get(status, "spool");
	bool catches = strcmp(text_of(status, "mode"), "catch") == 0;

	printf("%-12s ", "spool");
	count_print(number_of(spool, "messages"), "message");
	fputs(", ", stdout);
	size_print(0, number_of(spool, "octets"));
	printf("\n%-12s ", catches ? "inbox" : "queue");
	if (catches) {
		count_print(number_of(spool, "inbox"), "message");
	} else {
		count_print(number_of(spool, "deliveries"), "delivery");
		printf(", %lld of them in flight", number_of(spool, "in_flight"));
	}
	putchar('\n');
}

static void print_counters(const json_t *counters)
{
	static const struct {
		const char *key, *label;
	} shown[] = {
		{ "messages_accepted", "accepted" },   { "recipients_sent", "sent" },
		{ "recipients_deferred", "deferred" }, { "recipients_bounced", "bounced" },
		{ "recipients_expired", "expired" },
	};

	printf("%-12s", "since start");
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		printf("%s %lld %s", i == 0 ? "" : ",", number_of(counters, shown[i].key),
		       shown[i].label);
	putchar('\n');
}

static void print_provider(const json_t *provider)
{
	bool aside = strcmp(text_of(provider, "state"), "ok") != 0;

	printf("%-12s ", "provider");
	text_print(stdout, text_of(provider, "name"));
	printf(": %s, ", aside ? "set aside" : "ok");
	count_print(number_of(provider, "connections"), "connection");
	printf(", %lld in flight", number_of(provider, "in_flight"));
	if (json_is_real(json_object_get(provider, "rate")))
		printf(", %.3g/s found", json_real_value(json_object_get(provider, "rate")));
	if (json_is_string(json_object_get(provider, "warm_up")))
		printf(", warming up with %s on day %lld", text_of(provider, "warm_up"),
		       number_of(provider, "warm_up_day"));
	if (aside && *text_of(provider, "aside_until") != '\0') {
		fputs(", tried again ", stdout);
		time_print(text_of(provider, "aside_until"));
	}
	putchar('\n');
	if (*text_of(provider, "why") != '\0') {
		printf("%-12s ", "");
		text_print(stdout, text_of(provider, "why"));
		putchar('\n');
	}
}

static void print_status(const json_t *status)
{
	json_t *provider;
	size_t i;

	printf("penstockd %s (%s), pid %lld, up ", text_of(status, "version"),
	       text_of(status, "mode"), number_of(status, "pid"));
	print_uptime(number_of(status, "uptime_seconds"));
	putchar('\n');
	print_spool(status);
	print_counters(json_object_get(status, "counters"));
	json_array_foreach(json_object_get(status, "providers"), i, provider)
		/* The built-in one is always there, and seldom of use. */
		if (strcmp(text_of(provider, "name"), "discard") != 0 ||
	            number_of(provider, "in_flight") > 0) print_provider(provider);
}

int cli_status(const struct cli *cli, int argc, char **argv)
{
	struct client *client;
	json_t *status;
	int rc;

	(void)argv;
	if (argc != 1) {
		fprintf(stderr, "usage: penstock status [--json]\n");
		return EX_USAGE;
	}
	rc = client_new(&client, cli);
	if (rc != EX_OK)
		return rc;
	rc = client_ask(client, "GET", "status", &status);
	client_free(&client);
	if (rc != EX_OK)
		return rc;
	if (cli->json)
		return json_out(status);
	print_status(status);
	json_decref(status);
	return EX_OK;
}

/* What takes no words and answers an object, which is the caller's. An exit status. */
static int order(const struct cli *cli, int argc, const char *verb, json_t **answer_r)
{
	struct client *client;
	int rc;

	if (argc != 1) {
		fprintf(stderr, "usage: penstock %s\n", verb);
		return EX_USAGE;
	}
	rc = client_new(&client, cli);
	if (rc != EX_OK)
		return rc;
	rc = client_ask(client, "POST", verb, answer_r);
	client_free(&client);
	return rc;
}

int cli_stop(const struct cli *cli, int argc, char **argv)
{
	json_t *answer;
	int rc = order(cli, argc, argv[0], &answer);

	if (rc != EX_OK)
		return rc;
	json_decref(answer);
	printf("penstockd stops when what is in flight has ended\n");
	return EX_OK;
}

int cli_reload(const struct cli *cli, int argc, char **argv)
{
	const char *settings;
	json_t *answer;
	int rc = order(cli, argc, argv[0], &answer);

	if (rc != EX_OK)
		return rc;
	settings = json_string_value(json_object_get(answer, "settings"));
	if (settings != NULL && strcmp(settings, "new") == 0)
		printf("penstockd goes on with new settings when what is in flight has ended\n");
	else
		printf("the settings are as before; certificates and secrets were read again\n");
	json_decref(answer);
	return EX_OK;
}
