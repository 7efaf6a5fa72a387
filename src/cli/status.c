/* SPDX-License-Identifier: ISC */
/* status.c - penstock status, penstock stop. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/cli.h"

static void print_status(const json_t *status)
{
	const json_t *spool = json_object_get(status, "spool");
	const json_t *counters = json_object_get(status, "counters");
	json_t *provider;
	size_t i;

	printf("penstockd %s (%s), up %lld s\n", text_of(status, "version"),
	       text_of(status, "mode"), number_of(status, "uptime_seconds"));
	printf("spool: %lld messages, %lld deliveries waiting or in flight (%lld in flight), %lld "
	       "in "
	       "the inbox, %lld octets\n",
	       number_of(spool, "messages"), number_of(spool, "deliveries"),
	       number_of(spool, "in_flight"), number_of(spool, "inbox"),
	       number_of(spool, "octets"));
	printf("since start: %lld accepted, %lld sent, %lld deferred, %lld bounced, %lld expired\n",
	       number_of(counters, "messages_accepted"), number_of(counters, "recipients_sent"),
	       number_of(counters, "recipients_deferred"),
	       number_of(counters, "recipients_bounced"),
	       number_of(counters, "recipients_expired"));
	json_array_foreach(json_object_get(status, "providers"), i, provider)
	{
		printf("provider ");
		text_print(stdout, text_of(provider, "name"));
		printf(": %s, %lld connections, %lld in flight", text_of(provider, "state"),
		       number_of(provider, "connections"), number_of(provider, "in_flight"));
		if (*text_of(provider, "why") != '\0') {
			printf(": ");
			text_print(stdout, text_of(provider, "why"));
		}
		putchar('\n');
	}
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

int cli_stop(const struct cli *cli, int argc, char **argv)
{
	struct client *client;
	json_t *answer;
	int rc;

	(void)argv;
	if (argc != 1) {
		fprintf(stderr, "usage: penstock stop\n");
		return EX_USAGE;
	}
	rc = client_new(&client, cli);
	if (rc != EX_OK)
		return rc;
	rc = client_ask(client, "POST", "stop", &answer);
	client_free(&client);
	if (rc == EX_OK)
		json_decref(answer);
	return rc;
}
