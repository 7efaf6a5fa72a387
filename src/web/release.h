/* SPDX-License-Identifier: ISC */
/* release.h - messages of an inbox that go out after all, and what became of them. */
#ifndef WEB_RELEASE_H
#define WEB_RELEASE_H

#include <jansson.h>

#include "web/router.h"

/* In struct web. */
struct releases {
	struct list kept;
	size_t kept_count;
	size_t running;
};
void releases_start(struct web *web);
void releases_free(struct web *web);

/* Releases that message of the call's inbox to whom the body says; answer() says that it is
 * queued, what is wrong is said here. */
void release_message(struct call *call, uint64_t id, void (*answer)(struct call *call));
/* [{To, State, Reply}] of that message, the caller's; NULL: it was never released. */
json_t *release_json(const struct web *web, uint64_t source);
/* send.c: a Message-ID of our own, without <>. */
void send_message_id(const struct web *web, char *out, size_t size);

#endif
