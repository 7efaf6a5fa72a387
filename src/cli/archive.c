/* SPDX-License-Identifier: ISC */
/* archive.c - penstock dump and penstock ingest: an inbox to a directory of .eml files, and back.
 *
 * A file's name is the id, checked and written anew: the daemon's word is no path. What is there
 * already stays. Ingested mail comes in by SMTP as all other does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "mail/header.h"
#include "mail/id.h"

#define PAGE      100
#define DEPTH_MAX 32 /* directories below one another */

/* ---- dump ---------------------------------------------------------------------- */

struct dump {
	struct client *client;
	struct bytes base;
	const char *directory;
	long long written, there;
};

static int save_to(struct dump *d, const char *id, const char *file)
{
	struct bytes path = { 0 };
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int rc;

	if (out == NULL && errno == EEXIST) {
		d->there++;
		return EX_OK;
	}
	if (out == NULL) {
		fprintf(stderr, "penstock: %s: %s\n", file, strerror(errno));
		return EX_CANTCREAT;
	}
	bytes_printf(&path, "%s/message/%s/raw", bytes_text(&d->base), id);
	rc = client_copy(d->client, bytes_text(&path), out);
	bytes_release(&path);
	if (fclose(out) != 0 && rc == EX_OK) {
		fprintf(stderr, "penstock: %s: %s\n", file, strerror(errno));
		rc = EX_IOERR;
	}
	if (rc != EX_OK)
		unlink(file);
	d->written += rc == EX_OK;
	return rc;
}

static int save_message(struct dump *d, const json_t *message)
{
	struct bytes file = { 0 };
	char id[ID_TEXT_SIZE];
	int rc = EX_PROTOCOL;

	if (inbox_id(text_of(message, "ID"), id) < 0) {
		fputs("penstock: the daemon's id is none: is that penstockd?\n", stderr);
		return rc;
	}
	bytes_printf(&file, "%s/%s.eml", d->directory, id);
	rc = save_to(d, id, bytes_text(&file));
	bytes_release(&file);
	/* Deleted meanwhile. */
	return rc == EX_NOINPUT ? EX_OK : rc;
}

/* *more_r: there may be a further page. */
static int save_page(struct dump *d, long long start, bool *more_r)
{
	struct bytes path = { 0 }, answer = { 0 };
	json_t *value = NULL, *message;
	size_t i;
	int rc;

	bytes_printf(&path, "%s/messages?limit=%d&start=%lld", bytes_text(&d->base), PAGE, start);
	rc = client_web(d->client, "GET", bytes_text(&path), NULL, &answer);
	if (rc == EX_OK)
		value = json_loadb((const char *)answer.data, answer.length, 0, NULL);
	json_array_foreach(json_object_get(value, "messages"), i, message)
	{
		if (rc == EX_OK)
			rc = save_message(d, message);
	}
	*more_r = json_array_size(json_object_get(value, "messages")) == PAGE;
	json_decref(value);
	bytes_release(&path);
	bytes_release(&answer);
	return rc;
}

int cli_dump(const struct cli *cli, int argc, char **argv)
{
	struct dump d = { 0 };
	const char *inbox = NULL;
	bool more = true;
	int c, rc;

	optind = 1;
	while ((c = getopt(argc, argv, "+i:")) == 'i')
		inbox = optarg;
	if (c != -1 || optind + 1 != argc) {
		fputs("usage: penstock dump [-i NAME] DIR\n", stderr);
		return EX_USAGE;
	}
	d.directory = argv[optind];
	if (mkdir(d.directory, 0755) < 0 && errno != EEXIST) {
		fprintf(stderr, "penstock: %s: %s\n", d.directory, strerror(errno));
		return EX_CANTCREAT;
	}
	rc = client_new(&d.client, cli);
	if (rc != EX_OK)
		return rc;
	inbox_base(d.client, inbox, &d.base);
	for (long long start = 0; more && rc == EX_OK; start += PAGE)
		rc = save_page(&d, start, &more);
	count_print(d.written, "message");
	printf(" written to %s, %lld there already\n", d.directory, d.there);
	client_free(&d.client);
	bytes_release(&d.base);
	return rc;
}

/* ---- ingest -------------------------------------------------------------------- */

struct ingest {
	struct bytes smtp;
	long long taken, refused;
	int worst;
};

static void failed(struct ingest *in, const char *file, const char *why, int status)
{
	fprintf(stderr, "penstock: %s: ", file);
	text_print(stderr, why);
	fputc('\n', stderr);
	in->refused++;
	in->worst = status;
}

static void first_address(void *context, const char *name, const char *address)
{
	char **first = context;

	(void)name;
	if (*first == NULL)
		*first = memory_text(address);
}

/* Whom the message says it is from: Return-Path, else From. NULL: nobody. */
static char *sender_of(struct span message)
{
	static const char *const fields[] = { "Return-Path", "From" };
	struct span value;
	char *sender = NULL;

	for (size_t i = 0; i < 2 && sender == NULL; i++)
		if (header_find(message, fields[i], &value))
			header_addresses(value, first_address, &sender);
	return sender;
}

/* Who received it, as our own Received field names them: for <b@example.org>. NULL: it does not. */
static char *received_for(struct span message)
{
	struct bytes text = { 0 };
	struct span value;
	char *recipient = NULL;
	const char *at, *end;

	if (header_find(message, "Received", &value)) {
		header_unfold(value, &text);
		at = strstr(bytes_text(&text), "for <");
		end = at == NULL ? NULL : strchr(at, '>');
		if (end != NULL)
			recipient = memory_text_of(at + strlen("for <"),
			                           (size_t)(end - at) - strlen("for <"));
	}
	bytes_release(&text);
	return recipient;
}

static void submit_file(struct ingest *in, const char *file, struct span message)
{
	struct submission submission = { .message = message };
	struct bytes reply = { 0 };
	char *sender = sender_of(message);
	int rc = EX_DATAERR;

	message_recipients(message, &submission.recipients, &submission.count);
	/* Nobody is named: it was received for somebody, or written to whom it is from. */
	if (submission.count == 0) {
		char *recipient = received_for(message);

		if (recipient == NULL && sender != NULL)
			recipient = memory_text(sender);
		submission.recipients = memory_new_array(1, sizeof(char *));
		if (recipient != NULL)
			submission.recipients[submission.count++] = recipient;
	}
	submission.sender = sender == NULL ? "" : sender;
	if (submission.count == 0)
		bytes_append_text(&reply, "names nobody in From, To, Cc or Bcc: is it a message?");
	else
		rc = submit(bytes_text(&in->smtp), &submission, &reply);
	if (rc != EX_OK)
		failed(in, file, bytes_text(&reply), rc);
	else
		in->taken++;
	for (size_t i = 0; i < submission.count; i++)
		free(submission.recipients[i]);
	free(submission.recipients);
	free(sender);
	bytes_release(&reply);
}

static void take_file(struct ingest *in, const char *file)
{
	struct bytes message = { 0 }, error = { 0 };
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		failed(in, file, strerror(errno), EX_NOINPUT);
		return;
	}
	if (message_read(fd, false, &message, &error) < 0)
		failed(in, file, bytes_text(&error), EX_DATAERR);
	else
		submit_file(in, file, bytes_span(&message));
	close(fd);
	bytes_release(&message);
	bytes_release(&error);
}

static void take_path(struct ingest *in, const char *path, unsigned depth);

static void take_directory(struct ingest *in, const char *path, unsigned depth)
{
	struct dirent **names = NULL;
	int count = scandir(path, &names, NULL, alphasort);

	if (count < 0)
		failed(in, path, strerror(errno), EX_NOINPUT);
	for (int i = 0; i < count; i++) {
		struct bytes whole = { 0 };

		bytes_printf(&whole, "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			take_path(in, bytes_text(&whole), depth + 1);
		bytes_release(&whole);
		free(names[i]);
	}
	free(names);
}

/* Links are followed where they are named, not inside a directory. */
static void take_path(struct ingest *in, const char *path, unsigned depth)
{
	struct stat status;

	if ((depth == 0 ? stat(path, &status) : lstat(path, &status)) < 0)
		failed(in, path, strerror(errno), EX_NOINPUT);
	else if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX)
		take_directory(in, path, depth);
	else if (S_ISREG(status.st_mode))
		take_file(in, path);
}

int cli_ingest(const struct cli *cli, int argc, char **argv)
{
	struct ingest in = { .worst = EX_OK };
	int rc;

	if (argc < 2) {
		fputs("usage: penstock ingest DIR|FILE...\n", stderr);
		return EX_USAGE;
	}
	rc = client_smtp_path(cli, &in.smtp);
	if (rc != EX_OK)
		return rc;
	for (int i = 1; i < argc; i++)
		take_path(&in, argv[i], 0);
	count_print(in.taken, "message");
	printf(" taken, %lld refused\n", in.refused);
	bytes_release(&in.smtp);
	return in.worst;
}
