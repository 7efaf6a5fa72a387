/* SPDX-License-Identifier: ISC */
/* assets.h - the page of the inbox, which is in the program itself. */
#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H

#include <event2/http.h>
#include <stdbool.h>
#include <stddef.h>

/* Made from src/web/page/ by src/web/embed. */
struct page_file {
	const char *path; /* "" is the page, the others are "page/..." */
	const char *type;
	const char *etag; /* with its quotes */
	const unsigned char *data;
	size_t length;
};
extern const struct page_file page_files[];
extern const size_t page_file_count;

/* Answers a request for a file of the page, or for an address at which other inboxes show the
 * page: view/ID and search?query=... lead to the page with that message or search. `path` is the
 * decoded path below the base path and the inbox's prefix, with or without a slash before it.
 * False: the path is none of the page's, and nothing was answered.
 *
 * All addresses in the page are relative, so it has to be reached with a slash at its end:
 * /inbox/NAME/, not /inbox/NAME. */
bool assets_serve(struct evhttp_request *request, const char *path);

#endif
