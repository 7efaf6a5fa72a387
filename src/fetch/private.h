/* SPDX-License-Identifier: ISC */
/* private.h - what the files of src/fetch/ share among themselves. */
#ifndef FETCH_PRIVATE_H
#define FETCH_PRIVATE_H

#include "base/helper.h"
#include "fetch/fetch.h"
#include "fetch/oauth2.h"

/* An endpoint that takes longer is down; the connections that wait have a minute. */
#define HTTP_SECONDS         30L
#define HTTP_CONNECT_SECONDS 10L
/* An honest answer has a few thousand octets. */
#define HTTP_ANSWER_MAX      (64 * 1024)
#define COMMAND_TIME         (30 * CLOCK_SEC)
#define PASSWORD_MAX         4096 /* octets, as of a password-file */
/* Google's, with its key of 2048 bits, has 2,400 octets. */
#define ACCOUNT_FILE_MAX     (32 * 1024)

/* http.c: POSTs the form. -1: no answer came, or too long a one. */
struct http_request {
	const char *url;
	const char *ca; /* file; NULL: the system's store */
	struct span form;
};
int http_post(const struct http_request *request, const atomic_bool *stop, long *status_r,
              struct bytes *body_r, struct bytes *error);

/* command.c: what the program prints, up to max octets; its arguments end the list. */
int command_run(const struct text_list *command, size_t max, const atomic_bool *stop,
                struct bytes *output_r, struct bytes *error);

/* secret.c: one line; takes the line end off. Why it is none, or NULL. */
const char *secret_trim(struct bytes *secret, size_t max);

/* work.c: one provider's secret, in a helper. */
struct fetch_job {
	struct helper_job job; /* first */
	struct fetch *fetch;
	const struct provider_settings *provider;
	struct settings *settings; /* whose provider it is */
	unsigned epoch;
	int64_t wall_us;
	const atomic_bool *stop;
	/* The answer. */
	bool done;
	struct token token; /* life 0: it does not end */
	struct bytes error;
};
void fetch_work(struct helper_job *job);
/* Whether it can be had anew at all. */
bool fetch_can(const struct provider_settings *provider);

#endif
