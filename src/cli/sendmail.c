/* SPDX-License-Identifier: ISC */
/* sendmail.c - penstock sendmail, and argv[0] sendmail: what cron, PHP and mail(1) call.
 *
 * The message is read whole, then submitted over SMTP; nothing is kept here: without a daemon the
 * status is 75 and the caller has its message still.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "mail/address.h"

static int address_check(const char *text, unsigned flags, int bad)
{
	struct address address;
	const char *error;

	if (*text == '\0' && (flags & ADDRESS_NULL) != 0)
		return EX_OK;
	if (address_parse(&address, span_of_text(text), flags | ADDRESS_UNQUALIFIED | ADDRESS_UTF8,
	                  &error) < 0) {
		fputs("sendmail: '", stderr);
		text_print(stderr, text);
		fprintf(stderr, "': %s\n", error);
		return bad;
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
static char *sender_of(const struct sendmail_options *s)
{
	size_t length;

	if (s->sender == NULL && getenv("MP_SENDMAIL_FROM") != NULL)
		return memory_text(getenv("MP_SENDMAIL_FROM"));
	if (s->sender == NULL)
		return user_name();
	length = strlen(s->sender);
	if (length >= 2 && s->sender[0] == '<' && s->sender[length - 1] == '>')
		return memory_text_of(s->sender + 1, length - 2);
	return memory_text(s->sender);
}

static int check_addresses(const struct sendmail_options *s, const char *sender, size_t arguments)
{
	int rc = address_check(sender, ADDRESS_NULL, EX_USAGE);

	if (rc == EX_OK && s->count == 0) {
		fprintf(stderr, "sendmail: no recipient: name one%s\n",
		        s->from_header ? ", the header has none"
		                       : ", or use -t to take them from the header");
		rc = EX_USAGE;
	}
	for (size_t i = 0; rc == EX_OK && i < s->count; i++)
		rc = address_check(s->recipients[i], 0, i < arguments ? EX_USAGE : EX_DATAERR);
	return rc;
}

/* The address of a From field that is added. */
static void append_from(struct bytes *from, const char *sender, const char *smtp_path)
{
	char *user = user_name();

	submit_qualify(smtp_path, *sender != '\0' ? sender : user, from);
	free(user);
}

static int hand_over(const char *smtp_path, const struct sendmail_options *s, const char *sender,
                     struct span draft)
{
	struct bytes message = { 0 }, from = { 0 }, reply = { 0 };
	struct submission submission = { sender, s->recipients, s->count, { 0 } };
	char *name = clean_name(s->name != NULL ? s->name : "");
	int rc;

	if (message_needs_sender(draft))
		append_from(&from, sender, smtp_path);
	message_complete(draft, from.length > 0 ? bytes_text(&from) : sender, name, &message);
	submission.message = bytes_span(&message);
	rc = submit(smtp_path, &submission, &reply);
	if (rc != EX_OK) {
		fputs("sendmail: ", stderr);
		text_print(stderr, bytes_text(&reply));
		fputc('\n', stderr);
	}
	bytes_release(&message);
	bytes_release(&from);
	bytes_release(&reply);
	free(name);
	return rc;
}

/* Where to: what is said, what Mailpit's variable says, our own daemon. */
static int smtp_of(const struct cli *cli, const struct sendmail_options *s, struct bytes *path)
{
	const char *said = s->smtp != NULL ? s->smtp : getenv("MP_SENDMAIL_SMTP_ADDR");
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:[]";

	if (said == NULL || *said == '\0')
		return client_smtp_path(cli, path);
	if (strncmp(said, "unix:/", 6) == 0) {
		bytes_append_text(path, said + 5);
		return EX_OK;
	}
	bytes_append_text(path, said);
	if (strspn(said, allowed) == strlen(said))
		return EX_OK;
	fputs("sendmail: write HOST:PORT or unix:PATH for the place to send to\n", stderr);
	return EX_USAGE;
}

static int send_message(const struct cli *cli, struct sendmail_options *s)
{
	struct bytes draft = { 0 }, path = { 0 }, error = { 0 };
	char *sender = sender_of(s);
	size_t arguments = s->count;
	int rc = EX_DATAERR;

	if (message_read(STDIN_FILENO, !s->dots_are_text, &draft, &error) < 0) {
		fprintf(stderr, "sendmail: %s\n", bytes_text(&error));
	} else {
		if (s->from_header)
			message_recipients(bytes_span(&draft), &s->recipients, &s->count);
		rc = check_addresses(s, sender, arguments);
	}
	if (rc == EX_OK)
		rc = smtp_of(cli, s, &path);
	if (rc == EX_OK)
		rc = hand_over(bytes_text(&path), s, sender, bytes_span(&draft));
	bytes_release(&draft);
	bytes_release(&path);
	bytes_release(&error);
	free(sender);
	return rc;
}

int cli_sendmail(const struct cli *cli, int argc, char **argv)
{
	static char queue[] = "queue", *list[] = { queue, NULL };
	struct sendmail_options s;
	struct bytes error = { 0 };
	int rc = EX_USAGE;

	if (sendmail_options_parse(&s, argc, argv, &error) < 0)
		fprintf(stderr, "sendmail: %s\n", bytes_text(&error));
	else if (s.mode == SENDMAIL_LIST)
		rc = cli_queue(cli, 1, list);
	else
		rc = s.mode == SENDMAIL_NOTHING ? EX_OK : send_message(cli, &s);
	sendmail_options_release(&s);
	bytes_release(&error);
	return rc;
}
