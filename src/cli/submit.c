/* SPDX-License-Identifier: ISC */
/* submit.c - mail to the daemon's Unix listener, over SMTP by libcurl. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mail/address.h"

/* The daemon answers after its commit; a disk under load takes a while. */
#define TIMEOUT_SECS  300
#define GREETING_SECS 10

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
	struct bytes sender = { 0 }, url = { 0 };
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
	if (*smtp_path == '/')
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, smtp_path);
	bytes_printf(&url, "smtp://%s/localhost", *smtp_path == '/' ? "localhost" : smtp_path);
	curl_easy_setopt(curl, CURLOPT_URL, bytes_text(&url));
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
	bytes_release(&url);
	return status_of(rc, code, reply_r);
}

/* A socket that answers within a moment, or -1. */
static int connect_to(const char *path)
{
	const struct timeval patience = { .tv_sec = GREETING_SECS };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd;

	if (length >= sizeof(name.sun_path))
		return -1;
	memcpy(name.sun_path, path, length + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Appends the name that the daemon greets with; nothing when it does not. */
static void hostname_append(const char *smtp_path, struct bytes *out)
{
	int fd = connect_to(smtp_path);
	char line[513]; /* a reply line of RFC 5321 4.5.3.1.5 */
	ssize_t n;
	size_t length;

	if (fd < 0)
		return;
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n > 4 && memcmp(line, "220 ", 4) == 0) {
		line[n] = '\0';
		length = strcspn(line + 4, " \r\n");
		if (domain_is_valid(span_of(line + 4, length)))
			bytes_append(out, line + 4, length);
	}
	(void)!send(fd, "QUIT\r\n", 6, MSG_NOSIGNAL);
	close(fd);
}

void submit_qualify(const char *smtp_path, const char *address, struct bytes *out)
{
	struct bytes host = { 0 };

	bytes_append_text(out, address);
	if (strchr(address, '@') != NULL)
		return;
	hostname_append(smtp_path, &host);
	if (host.length > 0)
		bytes_printf(out, "@%s", bytes_text(&host));
	bytes_release(&host);
}
