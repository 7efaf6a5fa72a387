/* SPDX-License-Identifier: ISC */
/* cli.h - the subcommands of penstock, one file each, and what they share.
 *
 * Exit statuses follow sysexits.h. What is asked for goes to stdout, what went wrong to stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"
#include "mail/envelope.h"
#include "mail/id.h"

/* Options that every subcommand understands. */
struct cli {
	const char *socket; /* --socket or PENSTOCK_CONTROL; NULL: the one that answers */
	bool json;
};

int cli_status(const struct cli *cli, int argc, char **argv);
int cli_queue(const struct cli *cli, int argc, char **argv);
int cli_show(const struct cli *cli, int argc, char **argv);
int cli_cat(const struct cli *cli, int argc, char **argv);
int cli_order(const struct cli *cli, int argc, char **argv); /* retry hold release remove */
int cli_stop(const struct cli *cli, int argc, char **argv);
int cli_reload(const struct cli *cli, int argc, char **argv);
int cli_login(const struct cli *cli, int argc, char **argv);
int cli_send(const struct cli *cli, int argc, char **argv);
int cli_inbox(const struct cli *cli, int argc, char **argv);
int cli_dump(const struct cli *cli, int argc, char **argv);
int cli_ingest(const struct cli *cli, int argc, char **argv);
int cli_readyz(const struct cli *cli, int argc, char **argv);
int cli_sendmail(const struct cli *cli, int argc, char **argv);

/* ---- client.c: the control API ------------------------------------------------- */

struct client;

/* Finds the daemon's control socket. EX_OK, or the status to exit with (said on stderr). */
int client_new(struct client **client_r, const struct cli *cli);
void client_free(struct client **client);
/* Asks for /relay/v1/PATH. EX_OK and the parsed answer (*value_r is the caller's), or the status to
 * exit with, said on stderr. */
int client_ask(struct client *client, const char *method, const char *path, json_t **value_r);
/* The same, but the body of the answer goes to the file as it comes. */
int client_copy(struct client *client, const char *path, FILE *out);
/* Asks for a path of the web side, which begins with a slash; `body` is JSON, or NULL. The answer
 * is appended as it is. EX_OK, or the status to exit with, said on stderr. */
int client_web(struct client *client, const char *method, const char *path, const char *body,
               struct bytes *answer_r);
/* Percent-encodes into a query value. */
void client_escape(struct client *client, struct bytes *out, const char *text);
/* Where the daemon takes mail: smtp.sock beside its control socket, found as that is but without
 * it: everybody may hand over mail, few may use the control socket. EX_OK, or the status to exit
 * with (said on stderr). */
int client_smtp_path(const struct cli *cli, struct bytes *path_r);

/* ---- inbox.c ---------------------------------------------------------------------- */

/* Appends where the API of an inbox is; NULL: of the default one. */
void inbox_base(struct client *client, const char *name, struct bytes *out);
/* An id of the API, checked and written as it is used in paths and file names. 0 or -1. */
int inbox_id(const char *text, char out[ID_TEXT_SIZE]);

/* ---- submit.c: mail over SMTP to the daemon's Unix listener ---------------------- */

struct submission {
	const char *sender; /* "" for the null reverse-path */
	char **recipients;
	size_t count;
	struct span message; /* CRLF line ends */
};
/* EX_OK with the daemon's last reply text in *reply_r; else a status of sysexits.h, with the reason
 * in *reply_r: EX_TEMPFAIL when there is no daemon or it said 4yz,
 * EX_NOUSER/EX_DATAERR/EX_UNAVAILABLE for 5yz. */
/* smtp_path: of a Unix socket, or HOST:PORT. */
int submit(const char *smtp_path, const struct submission *submission, struct bytes *reply_r);
/* Appends the address, a bare name with the daemon's hostname: others do not know our names. */
void submit_qualify(const char *smtp_path, const char *address, struct bytes *out);

/* ---- text.c ------------------------------------------------------------------------- */

/* Text of the daemon for a terminal: what is not plain UTF-8 text becomes '?'. */
void text_print(FILE *out, const char *text);
/* A time of the API (RFC 3339, UTC) as the local "2026-11-21 22:44:20". */
void time_print(const char *text);
void size_print(int width, long long octets); /* "1.2 KiB", right-aligned */
/* "1 message", "2 messages"; "1 delivery", "2 deliveries". */
void count_print(long long count, const char *noun);
const char *text_of(const json_t *object, const char *key); /* never NULL */
long long number_of(const json_t *object, const char *key);
int json_out(json_t *value); /* prints it on stdout and releases it; EX_OK */

/* ---- message.c: mail read from a file, for sendmail and send ------------------------- */

/* More is refused: as much as the daemon's default max-message-size. */
#define MESSAGE_MAX (50 * 1024 * 1024) /* octets */

/* Reads all of fd with LF or CRLF lines into CRLF; with `dot_ends` a line of one dot is the end.
 * -1: too large or an error (said in *error). */
int message_read(int fd, bool dot_ends, struct bytes *message_r, struct bytes *error);
/* Adds the addresses of To, Cc and Bcc (-t), or of Resent-To, -Cc and -Bcc when there are any. */
void message_recipients(struct span message, char ***list, size_t *count);
/* Copies without Bcc fields and without the line of a mailbox file in front, with Date, Message-ID
 * and From added when missing; an empty line before a body that lacks it. */
void message_complete(struct span message, const char *from, const char *from_name,
                      struct bytes *out);
/* Does what is missing (From, the right side of Message-ID) take the sender's address? */
bool message_needs_sender(struct span message);

/* ---- sendmail_options.c: the words that sendmail(1) is called with --------------------- */

enum sendmail_mode {
	SENDMAIL_DELIVER, /* -bm */
	SENDMAIL_LIST,    /* -bp, mailq */
	SENDMAIL_NOTHING, /* -bi, newaliases, -q: the daemon does without */
};

struct sendmail_options {
	enum sendmail_mode mode;
	bool from_header;   /* -t */
	bool dots_are_text; /* -i, -oi */
	const char *sender; /* -f, -r; NULL: not given */
	const char *name;   /* -F; NULL: not given */
	const char *smtp;   /* -S, as mailpit's: HOST:PORT or unix:PATH; NULL: our own daemon */
	char **recipients;
	size_t count;
};
/* argv[0] counts: mailq, newaliases. -1 with *error. To be released in any case. */
int sendmail_options_parse(struct sendmail_options *o, int argc, char **argv, struct bytes *error);
void sendmail_options_release(struct sendmail_options *o);

#endif
