/* SPDX-License-Identifier: ISC */
/* http.c - one POST of a form through libcurl: verified TLS, bounded in time and size.
 *
 * https only, but on this host: checked at the configuration, and again here. Redirections are not
 * followed: the form holds secrets.
 */
#include <curl/curl.h>
#include <string.h>

#include "fetch/private.h"

static size_t collect(char *data, size_t size, size_t count, void *context)
{
	struct bytes *body = context;

	if (body->length + size * count > HTTP_ANSWER_MAX)
		return 0;
	bytes_append(body, data, size * count);
	return size * count;
}

/* libcurl asks at least once a second. */
static int go_on(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const atomic_bool *stop = context;

	(void)a, (void)b, (void)c, (void)d;
	return stop != NULL && atomic_load(stop) ? 1 : 0;
}

static void prepare(CURL *curl, const struct http_request *request, struct bytes *body,
                    const atomic_bool *stop)
{
	bool tls = strncasecmp(request->url, "https:", 6) == 0;

	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, HTTP_SECONDS);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, HTTP_CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->form.length);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->form.data);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "penstock");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, go_on);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)stop);
	if (request->ca != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca);
	if (!tls)
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* a proxy is not this host */
}

static const char *words_of(CURLcode rc)
{
	if (rc == CURLE_WRITE_ERROR)
		return "its answer is too long";
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		return "the daemon stops";
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return "it does not answer in time";
	return curl_easy_strerror(rc);
}

int http_post(const struct http_request *request, const atomic_bool *stop, long *status_r,
              struct bytes *body_r, struct bytes *error)
{
	CURL *curl;
	CURLcode rc;

	if (!settings_url_is_safe(request->url)) {
		bytes_printf(error, "%s is no https URL", request->url);
		return -1;
	}
	curl = curl_easy_init();
	if (curl == NULL) {
		bytes_append_text(error, "libcurl cannot be used");
		return -1;
	}
	prepare(curl, request, body_r, stop);
	rc = curl_easy_perform(curl);
	if (rc == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status_r);
	else
		bytes_printf(error, "%s: %s", request->url, words_of(rc));
	curl_easy_cleanup(curl);
	return rc == CURLE_OK ? 0 : -1;
}
