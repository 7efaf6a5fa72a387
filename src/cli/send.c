/* SPDX-License-Identifier: ISC */
/* send.c - penstock send --to ADDR: a first mail without any other tool. */
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "mail/address.h"

struct send_options {
	char **to;
	size_t count;
	const char *from, *subject, *body;
	bool usage;
};

static void parse_options(struct send_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", required_argument, NULL, 't' },
		{ "from", required_argument, NULL, 'f' },
		{ "subject", required_argument, NULL, 's' },
		{ "body", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't') {
			o->to = memory_grow(o->to, o->count + 1, sizeof(*o->to));
			o->to[o->count++] = optarg;
		} else if (c == 'f') {
			o->from = optarg;
		} else if (c == 's') {
			o->subject = optarg;
		} else if (c == 'b') {
			o->body = optarg;
		} else {
			o->usage = true;
		}
	}
	if (o->count == 0 || optind != argc)
		o->usage = true;
}

static bool is_header_text(const char *text)
{
	return strpbrk(text, "\r\n") == NULL;
}

/* Says what is wrong with an address or a subject; EX_OK when nothing is. */
static int check(const struct send_options *o)
{
	struct address address;
	const char *error;

	for (size_t i = 0; i < o->count; i++) {
		if (address_parse(&address, span_of_text(o->to[i]), ADDRESS_UNQUALIFIED, &error) <
		    0) {
			fprintf(stderr, "penstock send: --to '%s': %s\n", o->to[i], error);
			return EX_USAGE;
		}
		address_release(&address);
	}
	if (address_parse(&address, span_of_text(o->from), ADDRESS_UNQUALIFIED, &error) < 0) {
		fprintf(stderr, "penstock send: --from '%s': %s\n", o->from, error);
		return EX_USAGE;
	}
	address_release(&address);
	if (!is_header_text(o->subject)) {
		fprintf(stderr, "penstock send: --subject must be one line\n");
		return EX_USAGE;
	}
	return EX_OK;
}

static void compose(const struct send_options *o, const char *smtp_path, struct bytes *message)
{
	struct bytes draft = { 0 }, from = { 0 };

	bytes_append_text(&draft, "To: ");
	for (size_t i = 0; i < o->count; i++) {
		bytes_append_text(&draft, i == 0 ? "" : ",\r\n ");
		submit_qualify(smtp_path, o->to[i], &draft);
	}
	bytes_printf(&draft,
	             "\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"
	             "Content-Type: text/plain; charset=utf-8\r\n"
	             "Content-Transfer-Encoding: 8bit\r\n\r\n",
	             o->subject);
	for (const char *c = o->body; *c != '\0'; c++) {
		if (*c == '\n')
			bytes_append_text(&draft, "\r\n");
		else if (*c != '\r')
			bytes_append_char(&draft, *c);
	}
	bytes_append_text(&draft, "\r\n");
	submit_qualify(smtp_path, o->from, &from);
	message_complete(bytes_span(&draft), bytes_text(&from), NULL, message);
	bytes_release(&from);
	bytes_release(&draft);
}

static int deliver(const struct cli *cli, const struct send_options *o)
{
	struct bytes message = { 0 }, path = { 0 }, reply = { 0 };
	struct submission submission = { o->from, o->to, o->count, { 0 } };
	int rc = client_smtp_path(cli, &path);

	if (rc != EX_OK)
		return rc;
	compose(o, bytes_text(&path), &message);
	submission.message = bytes_span(&message);
	rc = submit(bytes_text(&path), &submission, &reply);
	if (rc != EX_OK)
		fputs("penstock send: ", stderr);
	text_print(rc == EX_OK ? stdout : stderr, bytes_text(&reply));
	fputc('\n', rc == EX_OK ? stdout : stderr);
	bytes_release(&message);
	bytes_release(&path);
	bytes_release(&reply);
	return rc;
}

int cli_send(const struct cli *cli, int argc, char **argv)
{
	const struct passwd *user = getpwuid(getuid());
	struct send_options o = {
		.from = user != NULL ? user->pw_name : "nobody",
		.subject = "A first mail",
		.body = "It arrived.",
	};
	int rc = EX_USAGE;

	parse_options(&o, argc, argv);
	if (o.usage)
		fprintf(stderr, "usage: penstock send --to ADDR [--to ADDR]... [--from ADDR] "
		                "[--subject TEXT] [--body TEXT]\n");
	else
		rc = check(&o);
	if (rc == EX_OK)
		rc = deliver(cli, &o);
	free(o.to);
	return rc;
}
