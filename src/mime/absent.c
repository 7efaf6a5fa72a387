/* SPDX-License-Identifier: ISC */
/* absent.c - stands for what needs GMime in a relay that is built without it. */
#include "mime/private.h"

bool mime_available(void)
{
	return false;
}

const char *walk_message(struct mime_index *index, struct effort *e)
{
	(void)index;
	(void)e;
	return "this penstockd is built without MIME";
}

int mime_build(const struct mime_draft *draft, struct bytes *out, struct bytes *error)
{
	(void)draft;
	(void)out;
	bytes_append_text(error, "this penstockd is built without MIME");
	return -1;
}

int mime_date(const char *value, struct bytes *out)
{
	(void)value;
	(void)out;
	return -1;
}
