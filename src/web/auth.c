/* SPDX-License-Identifier: ISC */
/* auth.c - basic authentication against a file of USER:PASSWORD or USER:HASH, one a line.
 *
 * A hash is crypt(3)'s or {SHA}; anything else is the password itself. The file is read and the
 * hash computed on a helper, for it takes tens of milliseconds; a login that was right is believed
 * for a minute by a digest with a key of this process, so that a page costs one hash.
 */
#include <crypt.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "web/private.h"

#define FILE_MAX   (1024 * 1024) /* octets of the file; each login has a line */
#define BELIEVED   (60 * CLOCK_SEC)
#define LOGINS_MAX 64   /* that are believed at a time */
#define HEADER_MAX 1024 /* octets of Authorization */

struct believed {
	unsigned char digest[DIGEST_SHA256_SIZE];
	int64_t until_us; /* monotonic */
};

struct auth {
	char *file;
	unsigned char key[DIGEST_KEY_SIZE];
	struct believed logins[LOGINS_MAX];
	size_t next; /* to be replaced */
};

struct auth_job {
	struct call_job job;
	char *file;
	char *login; /* USER:PASSWORD */
	bool right;
};

struct auth *auth_new(const char *file)
{
	struct auth *auth = memory_new(sizeof(*auth));

	auth->file = memory_text(file);
	digest_random(auth->key, sizeof(auth->key));
	return auth;
}

void auth_free(struct auth **auth_p)
{
	struct auth *auth = *auth_p;

	if (auth == NULL)
		return;
	*auth_p = NULL;
	free(auth->file);
	memory_wipe(auth, sizeof(*auth));
	free(auth);
}

/* ---- on a helper ----------------------------------------------------------------- */

/* 0, or -1: it cannot be read, or is larger than any of its kind. */
static int file_read(const char *path, struct bytes *text)
{
	FILE *file = fopen(path, "re");
	size_t got = 0;
	int rc = -1;

	if (file == NULL)
		return -1;
	do {
		text->length += got;
		bytes_reserve(text, 4096);
		got = fread(text->data + text->length, 1, 4096, file);
	} while (got > 0 && text->length + got <= FILE_MAX);
	if (got == 0 && !ferror(file))
		rc = 0;
	fclose(file);
	return rc;
}

static bool equal(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && digest_equal(a, b, strlen(a));
}

static bool sha_is_right(const char *hash, const char *password)
{
	unsigned char digest[DIGEST_SHA1_SIZE];
	struct bytes text = { 0 };
	bool right;

	digest_sha1(span_of_text(password), digest);
	base64_encode(&text, span_of(digest, sizeof(digest)));
	right = equal(hash, bytes_text(&text));
	bytes_release(&text);
	return right;
}

static bool password_is_right(const char *expected, const char *password)
{
	struct crypt_data *data;
	const char *hash;
	bool right;

	if (strncmp(expected, "{SHA}", 5) == 0)
		return sha_is_right(expected + 5, password);
	if (*expected != '$')
		return equal(expected, password);
	data = memory_new(sizeof(*data));
	hash = crypt_r(password, expected, data);
	right = hash != NULL && *hash != '*' && equal(hash, expected);
	memory_wipe(data, sizeof(*data));
	free(data);
	return right;
}

/* The line of that user, after its colon; NULL: none. */
static const char *find_line(char *text, const char *login)
{
	size_t user = strcspn(login, ":");
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		line[strcspn(line, "\r")] = '\0';
		if (strncmp(line, login, user) == 0 && line[user] == ':')
			return line + user + 1;
	}
	return NULL;
}

static void auth_work(struct call_job *call_job)
{
	struct auth_job *job = (struct auth_job *)(void *)call_job;
	const char *password = strchr(job->login, ':') + 1, *expected;
	struct bytes text = { 0 };

	if (file_read(job->file, &text) < 0) {
		log_error("web login impossible file=%s cure=\"make it readable for the "
		          "daemon\"",
		          log_quoted(job->file));
		return;
	}
	bytes_text(&text);
	expected = find_line((char *)text.data, job->login);
	job->right = expected != NULL && password_is_right(expected, password);
	memory_wipe(text.data, text.length);
	bytes_release(&text);
}

/* ---- on the web thread -------------------------------------------------------------- */

static bool is_believed(const struct auth *auth, const char *login, int64_t now)
{
	unsigned char digest[DIGEST_SHA256_SIZE];
	bool found = false;

	digest_hmac_sha256(auth->key, span_of_text(login), digest);
	for (size_t i = 0; i < LOGINS_MAX; i++)
		found |= auth->logins[i].until_us > now &&
		         digest_equal(auth->logins[i].digest, digest, sizeof(digest));
	return found;
}

static void believe(struct auth *auth, const char *login, int64_t now)
{
	struct believed *b = &auth->logins[auth->next++ % LOGINS_MAX];

	digest_hmac_sha256(auth->key, span_of_text(login), b->digest);
	b->until_us = now + BELIEVED;
}

static void ask(struct call *call)
{
	answer_header(call, "WWW-Authenticate", "Basic realm=\"Penstock\", charset=\"UTF-8\"");
	answer_text(call, 401, "Unauthorized.\n");
}

static void auth_done(struct call_job *call_job)
{
	struct auth_job *job = (struct auth_job *)(void *)call_job;
	struct call *call = job->job.call;
	struct web *web = call->web;

	if (job->right) {
		believe(web->auth, job->login, loop_now(web->loop));
		router_run(call);
	} else {
		log_info("web login refused user=%s",
		         log_quoted_span(span_of(job->login, strcspn(job->login, ":"))));
		ask(call);
	}
	memory_wipe(job->login, strlen(job->login));
	free(job->login);
	free(job->file);
	free(job);
}

/* USER:PASSWORD of the header; NULL: there is none. */
static char *login_of(const struct call *call)
{
	const char *header = call_header(call, "Authorization");
	struct bytes text = { 0 };
	char *login = NULL;

	if (header == NULL || strncasecmp(header, "Basic ", 6) != 0 || strlen(header) > HEADER_MAX)
		return NULL;
	if (base64_decode(&text, span_of_text(header + 6)) == 0 &&
	    memchr(text.data, '\0', text.length) == NULL &&
	    memchr(text.data, ':', text.length) != NULL)
		login = memory_text_of(text.data, text.length);
	bytes_release(&text);
	return login;
}

void auth_check(struct call *call)
{
	struct web *web = call->web;
	char *login = login_of(call);
	struct auth_job *job;

	if (login == NULL) {
		ask(call);
	} else if (is_believed(web->auth, login, loop_now(web->loop))) {
		memory_wipe(login, strlen(login));
		free(login);
		router_run(call);
	} else {
		job = memory_new(sizeof(*job));
		job->file = memory_text(web->auth->file);
		job->login = login;
		job->job.work = auth_work;
		job->job.done = auth_done;
		call_job_start(call, &job->job);
	}
}
