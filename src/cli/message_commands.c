/* SPDX-License-Identifier: ISC */
/* message_commands.c - penstock show, cat, retry, hold, release and remove: commands on message
 * ids. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

static void print_field(const json_t *message, const char *key)
{
	if (*text_of(message, key) == '\0')
		return;
	printf("%-10s", key);
	text_print(stdout, text_of(message, key));
	putchar('\n');
}

static void print_delivery(const json_t *delivery)
{
	json_t *recipient;
	size_t i;

	printf("%-10s%s, ", "delivery", text_of(delivery, "state"));
	if (strcmp(text_of(delivery, "route"), "unrouted") == 0) {
		fputs("no route matches, ", stdout);
	} else {
		fputs("route ", stdout);
		text_print(stdout, text_of(delivery, "route"));
		fputs(", ", stdout);
	}
	count_print(number_of(delivery, "attempts"), "attempt");
	if (*text_of(delivery, "next_attempt") != '\0') {
		fputs(", next ", stdout);
		time_print(text_of(delivery, "next_attempt"));
	}
	putchar('\n');
	json_array_foreach(json_object_get(delivery, "recipients"), i, recipient)
	{
		printf("%-10s<", "");
		text_print(stdout, text_of(recipient, "address"));
		puts(">");
		if (*text_of(recipient, "last_reply") != '\0') {
			printf("%-12s", "");
			text_print(stdout, text_of(recipient, "last_reply"));
			putchar('\n');
		}
	}
}

static void print_show(const json_t *message)
{
	static const char *const fields[] = { "client", "helo", "login", "with", "tls" };
	json_t *delivery;
	size_t i;

	print_field(message, "id");
	printf("%-10s<", "sender");
	text_print(stdout, text_of(message, "sender"));
	printf(">\n%-10s", "accepted");
	time_print(text_of(message, "accepted"));
	printf("\n%-10s", "size");
	size_print(0, number_of(message, "size"));
	if (number_of(message, "size") >= 1024)
		printf(" (%lld octets)", number_of(message, "size"));
	putchar('\n');
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		print_field(message, fields[i]);
	json_array_foreach(json_object_get(message, "deliveries"), i, delivery)
		print_delivery(delivery);
}

/* The path of a message in the API; ids are plain characters, so only those are let through. */
static int message_path(const char *id, const char *tail, struct bytes *path)
{
	if (strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != 13 ||
	    id[13] != '\0') {
		fprintf(stderr,
		        "penstock: '%.40s' is no message id: those have 13 characters, as in "
		        "'penstock queue'\n",
		        id);
		return EX_USAGE;
	}
	bytes_clear(path);
	bytes_printf(path, "messages/%s%s", id, tail);
	return EX_OK;
}

int cli_show(const struct cli *cli, int argc, char **argv)
{
	struct bytes path = { 0 };
	struct client *client = NULL;
	json_t *message;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: penstock show [--json] ID\n");
		return EX_USAGE;
	}
	rc = message_path(argv[1], "", &path);
	if (rc == EX_OK)
		rc = client_new(&client, cli);
	if (rc == EX_OK)
		rc = client_ask(client, "GET", bytes_text(&path), &message);
	client_free(&client);
	bytes_release(&path);
	if (rc != EX_OK)
		return rc;
	if (cli->json)
		return json_out(message);
	print_show(message);
	json_decref(message);
	return EX_OK;
}

int cli_cat(const struct cli *cli, int argc, char **argv)
{
	struct bytes path = { 0 };
	struct client *client = NULL;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: penstock cat ID\n");
		return EX_USAGE;
	}
	rc = message_path(argv[1], "/content", &path);
	if (rc == EX_OK)
		rc = client_new(&client, cli);
	if (rc == EX_OK)
		rc = client_copy(client, bytes_text(&path), stdout);
	client_free(&client);
	bytes_release(&path);
	return rc;
}

static void print_order(const char *verb, const char *id, const json_t *answer)
{
	static const struct {
		const char *verb, *done;
	} words[] = {
		{ "retry", "due now" },
		{ "hold", "held" },
		{ "release", "released" },
		{ "remove", "removed" },
	};
	long long changed = number_of(answer, "changed"), busy = number_of(answer, "in_flight");

	printf("%s: ", id);
	count_print(changed, "delivery");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(verb, words[i].verb) == 0)
			printf(" %s", words[i].done);
	if (busy > 0)
		printf(", %lld in flight left alone", busy);
	putchar('\n');
}

static int order_one(const struct cli *cli, struct client *client, const char *verb, const char *id)
{
	bool removes = strcmp(verb, "remove") == 0;
	struct bytes path = { 0 }, tail = { 0 };
	json_t *answer;
	int rc;

	if (!removes)
		bytes_printf(&tail, "/%s", verb);
	rc = message_path(id, bytes_text(&tail), &path);
	if (rc == EX_OK)
		rc = client_ask(client, removes ? "DELETE" : "POST", bytes_text(&path), &answer);
	bytes_release(&path);
	bytes_release(&tail);
	if (rc != EX_OK)
		return rc;
	if (cli->json)
		return json_out(answer);
	print_order(verb, id, answer);
	json_decref(answer);
	return EX_OK;
}

int cli_order(const struct cli *cli, int argc, char **argv)
{
	struct client *client;
	int rc, worst = EX_OK;

	if (argc < 2) {
		fprintf(stderr, "usage: penstock %s [--json] ID...\n", argv[0]);
		return EX_USAGE;
	}
	rc = client_new(&client, cli);
	if (rc != EX_OK)
		return rc;
	for (int i = 1; i < argc; i++) {
		rc = order_one(cli, client, argv[0], argv[i]);
		if (rc != EX_OK)
			worst = rc;
	}
	client_free(&client);
	return worst;
}
