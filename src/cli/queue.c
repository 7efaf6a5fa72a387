/* SPDX-License-Identifier: ISC */
/* queue.c - penstock queue [FILTER]: what waits, in order of acceptance. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

static void print_delivery(const json_t *delivery)
{
	const json_t *recipients = json_object_get(delivery, "recipients");
	json_t *recipient;
	size_t i;

	json_array_foreach(recipients, i, recipient)
	{
		printf("    %-9s ", text_of(delivery, "state"));
		text_print(stdout, text_of(recipient, "address"));
		if (*text_of(recipient, "last_reply") != '\0') {
			printf("  (");
			text_print(stdout, text_of(recipient, "last_reply"));
			putchar(')');
		}
		if (strcmp(text_of(delivery, "state"), "deferred") == 0)
			printf("  next %.19sZ", text_of(delivery, "next_attempt"));
		putchar('\n');
	}
}

static void print_message(const json_t *message)
{
	json_t *delivery;
	size_t i;

	printf("%s  %.19sZ  %lld octets  <", text_of(message, "id"), text_of(message, "accepted"),
	       number_of(message, "size"));
	text_print(stdout, text_of(message, "sender"));
	printf(">\n");
	json_array_foreach(json_object_get(message, "deliveries"), i, delivery)
		print_delivery(delivery);
}

/* One page; *next is where to go on, empty at the end. */
static int ask_page(struct client *client, const char *filter, struct bytes *next, json_t **page_r)
{
	struct bytes path = { 0 };
	int rc;

	bytes_printf(&path, "queue?limit=500&filter=");
	client_escape(client, &path, filter);
	if (next->length > 0)
		bytes_printf(&path, "&after=%s", bytes_text(next));
	rc = client_ask(client, "GET", bytes_text(&path), page_r);
	bytes_release(&path);
	bytes_clear(next);
	if (rc == EX_OK)
		bytes_append_text(next, text_of(*page_r, "next"));
	return rc;
}

static int print_pages(const struct cli *cli, struct client *client, const char *filter)
{
	struct bytes next = { 0 };
	json_t *all = json_array(), *page, *message;
	size_t i;
	int rc;

	do {
		rc = ask_page(client, filter, &next, &page);
		if (rc != EX_OK)
			break;
		if (cli->json)
			json_array_extend(all, json_object_get(page, "messages"));
		else
			json_array_foreach(json_object_get(page, "messages"), i, message)
				print_message(message);
		json_decref(page);
	} while (next.length > 0);
	bytes_release(&next);
	if (rc == EX_OK && cli->json)
		return json_out(all);
	json_decref(all);
	return rc;
}

int cli_queue(const struct cli *cli, int argc, char **argv)
{
	struct client *client;
	int rc;

	if (argc > 2) {
		fprintf(stderr, "usage: penstock queue [--json] [FILTER]\n");
		return EX_USAGE;
	}
	rc = client_new(&client, cli);
	if (rc != EX_OK)
		return rc;
	rc = print_pages(cli, client, argc == 2 ? argv[1] : "");
	client_free(&client);
	return rc;
}
