/* SPDX-License-Identifier: ISC */
/* inbox.c - penstock inbox: the messages that an inbox keeps, asked of the daemon's own API; and
 * penstock readyz.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "mail/id.h"

#define LIST_DEFAULT "50"

static const char usage[] =
	"usage: penstock inbox [-i NAME] [-n COUNT] list | search QUERY\n"
	"       penstock inbox [-i NAME] count | show ID | cat ID | delete ID... | delete --all\n";

struct inbox_call {
	const struct cli *cli;
	struct client *client;
	struct bytes base; /* "/api/v1", or below the inbox's own prefix */
	const char *limit;
	char **words;
	int count;
};

void inbox_base(struct client *client, const char *name, struct bytes *out)
{
	if (name != NULL) {
		bytes_append_text(out, "/inbox/");
		client_escape(client, out, name);
	}
	bytes_append_text(out, "/api/v1");
}

int inbox_id(const char *text, char out[ID_TEXT_SIZE])
{
	uint64_t id;

	if (id_parse(&id, text) < 0)
		return -1;
	id_format(id, out);
	return 0;
}

static json_t *parse(struct bytes *answer)
{
	json_t *value = json_loadb((const char *)answer->data, answer->length, 0, NULL);

	if (value == NULL)
		fputs("penstock: the answer is not JSON: is that penstockd?\n", stderr);
	return value;
}

/* ---- listings ------------------------------------------------------------------ */

static void print_address(const json_t *address)
{
	const char *name = text_of(address, "Name");

	text_print(stdout, *name != '\0' ? name : text_of(address, "Address"));
}

static void print_line(const json_t *message)
{
	printf("%s  ", text_of(message, "ID"));
	time_print(text_of(message, "Created"));
	putchar(' ');
	size_print(9, number_of(message, "Size"));
	printf(" %c ", json_is_true(json_object_get(message, "Read")) ? ' ' : '*');
	print_address(json_object_get(message, "From"));
	fputs(": ", stdout);
	text_print(stdout, text_of(message, "Subject"));
	putchar('\n');
}

/* An object, which is the caller's. An exit status. */
static int ask_object(struct inbox_call *call, const char *path, json_t **value_r)
{
	struct bytes answer = { 0 };
	int rc = client_web(call->client, "GET", path, NULL, &answer);

	if (rc == EX_OK && (*value_r = parse(&answer)) == NULL)
		rc = EX_PROTOCOL;
	bytes_release(&answer);
	return rc;
}

static int ask_list(struct inbox_call *call, const char *path)
{
	json_t *value, *message;
	size_t i;
	int rc = ask_object(call, path, &value);

	if (rc != EX_OK)
		return rc;
	if (call->cli->json)
		return json_out(value);
	json_array_foreach(json_object_get(value, "messages"), i, message) print_line(message);
	json_decref(value);
	return EX_OK;
}

static int do_list(struct inbox_call *call)
{
	bytes_append_text(&call->base, "/messages?limit=");
	client_escape(call->client, &call->base, call->limit);
	return ask_list(call, bytes_text(&call->base));
}

static int do_search(struct inbox_call *call)
{
	bytes_append_text(&call->base, "/search?limit=");
	client_escape(call->client, &call->base, call->limit);
	bytes_append_text(&call->base, "&query=");
	client_escape(call->client, &call->base, call->words[0]);
	return ask_list(call, bytes_text(&call->base));
}

static int do_count(struct inbox_call *call)
{
	struct bytes answer = { 0 };
	json_t *value = NULL;
	int rc;

	bytes_append_text(&call->base, "/messages?limit=1");
	rc = client_web(call->client, "GET", bytes_text(&call->base), NULL, &answer);
	if (rc == EX_OK && (value = parse(&answer)) == NULL)
		rc = EX_PROTOCOL;
	bytes_release(&answer);
	if (rc != EX_OK)
		return rc;
	if (call->cli->json)
		printf("{\"total\": %lld, \"unread\": %lld}\n", number_of(value, "total"),
		       number_of(value, "unread"));
	else
		printf("%lld\n", number_of(value, "total"));
	json_decref(value);
	return EX_OK;
}

/* ---- one message --------------------------------------------------------------- */

/* Ids are never made a part of a path unchecked. */
static int message_path(struct inbox_call *call, const char *tail)
{
	char id[ID_TEXT_SIZE];

	if (inbox_id(call->words[0], id) < 0) {
		fprintf(stderr, "penstock: '%.40s' is no message id: those have 13 characters\n",
		        call->words[0]);
		return EX_USAGE;
	}
	bytes_printf(&call->base, "/message/%s%s", id, tail);
	return EX_OK;
}

static void print_part_names(const json_t *message, const char *key)
{
	json_t *part;
	size_t i;

	json_array_foreach(json_object_get(message, key), i, part)
	{
		fputs("Attachment: ", stdout);
		text_print(stdout, text_of(part, "FileName"));
		printf(" (%s, %lld octets)\n", text_of(part, "ContentType"),
		       number_of(part, "Size"));
	}
}

static void print_lines(const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\r\n");
		char *line = memory_text_of(text, length);

		text_print(stdout, line);
		putchar('\n');
		free(line);
		text += length;
		text += *text == '\r';
		text += *text == '\n';
	}
}

static void print_message(const json_t *message)
{
	json_t *to;
	size_t i;

	fputs("From:    ", stdout);
	text_print(stdout, text_of(json_object_get(message, "From"), "Address"));
	putchar('\n');
	json_array_foreach(json_object_get(message, "To"), i, to)
	{
		fputs("To:      ", stdout);
		text_print(stdout, text_of(to, "Address"));
		putchar('\n');
	}
	fputs("Subject: ", stdout);
	text_print(stdout, text_of(message, "Subject"));
	putchar('\n');
	print_part_names(message, "Attachments");
	print_part_names(message, "Inline");
	putchar('\n');
	print_lines(text_of(message, "Text"));
}

static int do_show(struct inbox_call *call)
{
	json_t *value;
	int rc = message_path(call, "");

	if (rc == EX_OK)
		rc = ask_object(call, bytes_text(&call->base), &value);
	if (rc != EX_OK)
		return rc;
	if (call->cli->json)
		return json_out(value);
	print_message(value);
	json_decref(value);
	return EX_OK;
}

static int do_cat(struct inbox_call *call)
{
	int rc = message_path(call, "/raw");

	return rc == EX_OK ? client_copy(call->client, bytes_text(&call->base), stdout) : rc;
}

/* ---- deleting ------------------------------------------------------------------ */

static int do_delete(struct inbox_call *call)
{
	json_t *ids = json_array(), *body;
	struct bytes text = { 0 }, answer = { 0 };
	bool all = call->count == 1 && strcmp(call->words[0], "--all") == 0;
	int rc = EX_OK;

	for (int i = 0; i < call->count && !all && rc == EX_OK; i++) {
		char id[ID_TEXT_SIZE];

		if (inbox_id(call->words[i], id) < 0) {
			fprintf(stderr, "penstock: '%.40s' is no message id\n", call->words[i]);
			rc = EX_USAGE;
		} else {
			json_array_append_new(ids, json_string(id));
		}
	}
	body = json_object();
	json_object_set_new(body, "IDs", ids);
	json_line(&text, body);
	bytes_append_text(&call->base, "/messages");
	if (rc == EX_OK)
		rc = client_web(call->client, "DELETE", bytes_text(&call->base),
		                all ? NULL : bytes_text(&text), &answer);
	bytes_release(&text);
	bytes_release(&answer);
	return rc;
}

/* ---- the command --------------------------------------------------------------- */

static const struct {
	const char *name;
	int words; /* at least; all but delete take no more */
	int (*run)(struct inbox_call *call);
} verbs[] = {
	{ "list", 0, do_list }, { "search", 1, do_search }, { "count", 0, do_count },
	{ "show", 1, do_show }, { "cat", 1, do_cat },       { "delete", 1, do_delete },
};

static int run_verb(struct inbox_call *call, const char *verb, const char *inbox)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		int rc;

		if (strcmp(verb, verbs[i].name) != 0)
			continue;
		if (call->count < verbs[i].words ||
		    (call->count > verbs[i].words && verbs[i].run != do_delete))
			break;
		rc = client_new(&call->client, call->cli);
		if (rc != EX_OK)
			return rc;
		inbox_base(call->client, inbox, &call->base);
		rc = verbs[i].run(call);
		client_free(&call->client);
		bytes_release(&call->base);
		return rc;
	}
	fputs(usage, stderr);
	return EX_USAGE;
}

int cli_inbox(const struct cli *cli, int argc, char **argv)
{
	struct inbox_call call = { .cli = cli, .limit = LIST_DEFAULT };
	const char *inbox = NULL;
	int c;

	optind = 1;
	while ((c = getopt(argc, argv, "+i:n:")) != -1) {
		if (c == 'i') {
			inbox = optarg;
		} else if (c == 'n') {
			call.limit = optarg;
		} else {
			fputs(usage, stderr);
			return EX_USAGE;
		}
	}
	if (optind >= argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	call.words = argv + optind + 1;
	call.count = argc - optind - 1;
	return run_verb(&call, argv[optind], inbox);
}

int cli_readyz(const struct cli *cli, int argc, char **argv)
{
	struct client *client;
	struct bytes answer = { 0 };
	int rc;

	(void)argv;
	if (argc != 1) {
		fputs("usage: penstock readyz\n", stderr);
		return EX_USAGE;
	}
	rc = client_new(&client, cli);
	if (rc == EX_OK) {
		rc = client_web(client, "GET", "/readyz", NULL, &answer);
		client_free(&client);
	}
	bytes_release(&answer);
	/* Containers know 0 and 1. */
	return rc == EX_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
