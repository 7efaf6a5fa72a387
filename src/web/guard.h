/* SPDX-License-Identifier: ISC */
/* guard.h - who may ask at all: Host and Origin of a request, before anything else of it counts.
 *
 * A page of the Internet can make a browser send requests to this host. What it cannot do is to
 * leave out or forge Host and Origin: a name that is not ours means that somebody's name was made
 * to point here (DNS rebinding), another Origin means that another page asks.
 */
#ifndef WEB_GUARD_H
#define WEB_GUARD_H

#include <stdbool.h>

#include "config/settings.h"

struct guard {
	const struct text_list *allowed; /* names beside our own; "*": any */
	const char *hostname;            /* ours */
	bool any_host;                   /* "*" is allowed */
	bool beyond_loopback; /* we listen there: names without a dot, as containers have, too */
};
void guard_init(struct guard *guard, const struct settings *settings);

/* Of a request; NULL: the header is not there. */
struct guard_facts {
	const char *host;        /* Host */
	const char *authority;   /* of a request for a whole URL */
	const char *origin;      /* Origin */
	const char *site, *mode; /* Sec-Fetch-Site, Sec-Fetch-Mode */
	bool host_repeated;
	bool old;   /* HTTP/1.0: Host may be missing */
	bool keyed; /* a page that we served has given it the right to ask */
};

enum guard_verdict {
	GUARD_OK,
	GUARD_BAD,          /* 400 */
	GUARD_FOREIGN_HOST, /* 403 */
	GUARD_FOREIGN_ORIGIN
};
enum guard_verdict guard_check(const struct guard *guard, const struct guard_facts *facts);

#endif
