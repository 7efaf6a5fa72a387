/* SPDX-License-Identifier: ISC */
/* queue.c - penstock queue [FILTER]: what waits, in order of acceptance. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"

/* The reply stands below, where it may be as long as it is. */
static void print_recipient(const json_t *delivery, const json_t *recipient)
{
	const char *state = text_of(delivery, "state");

	printf("    %-9s  ", state);
	text_print(stdout, text_of(recipient, "address"));
	if (strcmp(state, "deferred") == 0) {
		printf("  attempt %lld at ", number_of(delivery, "attempts") + 1);
		time_print(text_of(delivery, "next_attempt"));
	}
	if (strcmp(state, "scheduled") == 0) {
		printf("  held until ");
		time_print(text_of(delivery, "held_until"));
	}
	putchar('\n');
	if (*text_of(recipient, "last_reply") != '\0') {
		printf("    %-9s  ", "");
		text_print(stdout, text_of(recipient, "last_reply"));
		putchar('\n');
	}
}

static void print_message(const json_t *message)
{
	json_t *delivery, *recipient;
	size_t i, k;

	printf("%s  ", text_of(message, "id"));
	time_print(text_of(message, "accepted"));
	size_print(11, number_of(message, "size"));
	printf("  <");
	text_print(stdout, text_of(message, "sender"));
	printf(">\n");
	json_array_foreach(json_object_get(message, "deliveries"), i, delivery)
		json_array_foreach(json_object_get(delivery, "recipients"), k, recipient)
			print_recipient(delivery, recipient);
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
	size_t i, listed = 0;
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
		listed += json_array_size(json_object_get(page, "messages"));
		json_decref(page);
	} while (next.length > 0);
	bytes_release(&next);
	if (rc == EX_OK && cli->json)
		return json_out(all);
	json_decref(all);
	/* For people; a script asks for nothing and gets it. */
	if (rc == EX_OK && listed == 0 && isatty(STDOUT_FILENO))
		puts(*filter == '\0' ? "the queue is empty" : "nothing in the queue matches");
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
