/* SPDX-License-Identifier: ISC */
/* sendmail.c - penstock sendmail, and argv[0] sendmail: what cron, PHP and mail(1) call.
 *
 * Takes the options that programs use and ignores those that only mean something to other
 * daemons. The message is read whole, then submitted over SMTP; nothing is kept
 * here: without a daemon the status is 75 and the caller has its message still.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "config/settings.h"
#include "mail/address.h"

struct sendmail {
	bool from_header;   /* -t */
	bool dots_are_text; /* -i, -oi */
	const char *sender; /* -f, -r */
	const char *name;   /* -F */
	char **recipients;
	size_t count;
};

static void add_recipient(struct sendmail *s, const char *text)
{
	s->recipients = memory_grow(s->recipients, s->count + 1, sizeof(*s->recipients));
	s->recipients[s->count++] = memory_text(text);
}

/* Command lines give lists too: "a@x, b@y". */
static void add_recipients(struct sendmail *s, const char *text)
{
	char *copy = memory_text(text), *rest = copy, *item;

	while ((item = strsep(&rest, ", ")) != NULL)
		if (*item != '\0')
			add_recipient(s, item);
	free(copy);
}

/* -bX modes: only -bm (read and deliver, the default) is a client's. */
static int mode_check(const char *mode)
{
	if (*mode == '\0' || strcmp(mode, "m") == 0)
		return EX_OK;
	fprintf(stderr,
	        "sendmail: -b%s is not supported: penstockd is the daemon, 'penstock queue' "
	        "lists its queue\n",
	        mode);
	return EX_USAGE;
}

/* Options as sendmail(1) writes them: the value may be attached or the next word; long option
 * letters such as -oi and -odb are one word. */
static int parse_options(struct sendmail *s, int argc, char **argv)
{
	static const char with_value[] = "fFrNRVBhpXLOCqd";
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		const char *option = argv[i];
		const char *value = NULL;

		if (strcmp(option, "--") == 0) {
			i++;
			break;
		}
		if (option[1] == 'b') {
			if (mode_check(option + 2) != EX_OK)
				return -1;
			continue;
		}
		/* -q and -d take a value only when it is attached. */
		if (strchr(with_value, option[1]) != NULL) {
			if (option[2] != '\0')
				value = option + 2;
			else if (option[1] != 'q' && option[1] != 'd' && i + 1 < argc)
				value = argv[++i];
		}
		if (option[1] == 'f' || option[1] == 'r')
			s->sender = value;
		else if (option[1] == 'F')
			s->name = value;
		else if (strcmp(option, "-i") == 0 || strcmp(option, "-oi") == 0)
			s->dots_are_text = true;
		else if (strchr(option, 't') != NULL &&
		         strspn(option + 1, "tiv") == strlen(option + 1))
			s->from_header = true, s->dots_are_text |= strchr(option, 'i') != NULL;
	}
	for (; i < argc; i++)
		add_recipients(s, argv[i]);
	return 0;
}

static int address_bad(const char *text, unsigned flags)
{
	struct address address;
	const char *error;

	if (*text == '\0' && (flags & ADDRESS_NULL) != 0)
		return EX_OK;
	if (address_parse(&address, span_of_text(text), flags | ADDRESS_UNQUALIFIED | ADDRESS_UTF8,
	                  &error) < 0) {
		fprintf(stderr, "sendmail: '%s': %s\n", text, error);
		return EX_USAGE;
	}
	address_release(&address);
	return EX_OK;
}

/* A name that goes into a quoted string of the From field. */
static char *clean_name(const char *name)
{
	char *copy = memory_text(name), *out = copy;

	for (const char *c = copy; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x20 && *c != '"' && *c != '\\' && *c != 0x7f)
			*out++ = *c;
	*out = '\0';
	return copy;
}

static char *user_name(void)
{
	const struct passwd *user = getpwuid(getuid());

	return memory_text(user != NULL ? user->pw_name : "nobody");
}

/* Brackets around -f are taken off; "" and <> are the null reverse-path. */
static char *sender_of(const struct sendmail *s)
{
	size_t length;

	if (s->sender == NULL)
		return user_name();
	length = strlen(s->sender);
	if (length >= 2 && s->sender[0] == '<' && s->sender[length - 1] == '>')
		return memory_text_of(s->sender + 1, length - 2);
	return memory_text(s->sender);
}

static int hand_over(const struct cli *cli, const struct sendmail *s, const char *sender,
                     struct span message)
{
	struct submission submission = { sender, s->recipients, s->count, message };
	struct bytes path = { 0 }, reply = { 0 };
	struct client *client;
	int rc = client_new(&client, cli);

	if (rc != EX_OK)
		return rc;
	client_smtp_path(client, &path);
	client_free(&client);
	rc = submit(bytes_text(&path), &submission, &reply);
	if (rc != EX_OK)
		fprintf(stderr, "sendmail: %s\n", bytes_text(&reply));
	bytes_release(&path);
	bytes_release(&reply);
	return rc;
}

static int check_addresses(const struct sendmail *s, const char *sender)
{
	int rc = address_bad(sender, ADDRESS_NULL);

	if (rc == EX_OK && s->count == 0) {
		fprintf(stderr, "sendmail: no recipient: name one, or use -t to take them from the "
		                "header\n");
		rc = EX_USAGE;
	}
	for (size_t i = 0; rc == EX_OK && i < s->count; i++)
		rc = address_bad(s->recipients[i], 0);
	return rc;
}

static int send_message(const struct cli *cli, struct sendmail *s)
{
	struct bytes draft = { 0 }, message = { 0 }, error = { 0 };
	char *sender = sender_of(s), *name = clean_name(s->name != NULL ? s->name : "");
	char *user = user_name();
	int rc = EX_DATAERR;

	if (message_read(STDIN_FILENO, !s->dots_are_text, &draft, &error) < 0) {
		fprintf(stderr, "sendmail: %s\n", bytes_text(&error));
	} else {
		if (s->from_header)
			message_recipients(bytes_span(&draft), &s->recipients, &s->count);
		rc = check_addresses(s, sender);
	}
	if (rc == EX_OK) {
		message_complete(bytes_span(&draft), *sender != '\0' ? sender : user, name,
		                 &message);
		rc = hand_over(cli, s, sender, bytes_span(&message));
	}
	bytes_release(&draft);
	bytes_release(&message);
	bytes_release(&error);
	free(sender);
	free(name);
	free(user);
	return rc;
}

int cli_sendmail(const struct cli *cli, int argc, char **argv)
{
	struct sendmail s = { 0 };
	int rc = parse_options(&s, argc, argv) < 0 ? EX_USAGE : send_message(cli, &s);

	for (size_t i = 0; i < s.count; i++)
		free(s.recipients[i]);
	free(s.recipients);
	return rc;
}
