/* SPDX-License-Identifier: ISC */
/* mailcatcher.c - what MailCatcher says of events. */
#include "web/hub.h"
json_t *mailcatcher_added(const struct inbox_entry *entry)
{
	(void)entry;
	return NULL;
}
json_t *mailcatcher_removed(uint64_t sequence)
{
	(void)sequence;
	return json_object();
}
json_t *mailcatcher_cleared(void)
{
	return json_object();
}
json_t *mailhog_added(struct reader *reader, const struct inbox_entry *entry)
{
	(void)reader;
	(void)entry;
	return NULL;
}
