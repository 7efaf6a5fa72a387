/* SPDX-License-Identifier: ISC */
/* submit.c - mail to the daemon's Unix listener, over SMTP by libcurl. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

/* The daemon answers after its commit; a disk under load takes a while. */
#define TIMEOUT_SECS 300

struct upload {
	struct span rest;
	struct bytes *reply; /* the last line the daemon said */
};

static size_t give(char *out, size_t size, size_t count, void *context)
{
	struct upload *u = context;
	size_t length = size * count < u->rest.length ? size * count : u->rest.length;

	memcpy(out, u->rest.data, length);
	u->rest.data += length;
	u->rest.length -= length;
	return length;
}

/* libcurl hands each reply line here; those of QUIT come last and are not wanted. */
static size_t heard(char *data, size_t size, size_t count, void *context)
{
	struct upload *u = context;
	size_t length = size * count;

	if (length >= 3 && memcmp(data, "221", 3) != 0) {
		bytes_clear(u->reply);
		while (length > 0 && (data[length - 1] == '\n' || data[length - 1] == '\r'))
			length--;
		bytes_append(u->reply, data, length);
	}
	return size * count;
}

static int status_of(CURLcode rc, long code, struct bytes *reply)
{
	if (rc == CURLE_OK)
		return EX_OK;
	if (rc == CURLE_COULDNT_CONNECT || rc == CURLE_OPERATION_TIMEDOUT || code < 400 ||
	    reply->length == 0) {
		if (reply->length == 0 || code < 400) {
			bytes_clear(reply);
			bytes_printf(reply, "penstockd does not take mail now: %s",
			             curl_easy_strerror(rc));
		}
		return EX_TEMPFAIL;
	}
	if (code / 100 == 4)
		return EX_TEMPFAIL;
	return code == 550 || code == 551 || code == 553   ? EX_NOUSER
	       : code == 552 || code == 554 || code == 501 ? EX_DATAERR
	                                                   : EX_UNAVAILABLE;
}

int submit(const char *smtp_path, const struct submission *submission, struct bytes *reply_r)
{
	struct upload upload = { submission->message, reply_r };
	struct curl_slist *recipients = NULL;
	struct bytes sender = { 0 };
	CURL *curl = curl_easy_init();
	CURLcode rc;
	long code = 0;

	bytes_printf(&sender, "<%s>", submission->sender);
	for (size_t i = 0; i < submission->count; i++) {
		struct bytes to = { 0 };

		bytes_printf(&to, "<%s>", submission->recipients[i]);
		recipients = curl_slist_append(recipients, bytes_text(&to));
		bytes_release(&to);
	}
	curl_easy_setopt(curl, CURLOPT_URL, "smtp://localhost/localhost");
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, smtp_path);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_SECS);
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, bytes_text(&sender));
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)submission->message.length);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, heard);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &upload);
	rc = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(curl);
	curl_slist_free_all(recipients);
	bytes_release(&sender);
	return status_of(rc, code, reply_r);
}
