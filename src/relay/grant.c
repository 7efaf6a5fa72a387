/* SPDX-License-Identifier: ISC */
/* grant.c - the ends of what travels between dispatcher, workers and helpers. */
#include <stdlib.h>

#include "relay/relay.h"

void grant_free(struct grant **grant_p)
{
	struct grant *grant = *grant_p;

	if (grant == NULL)
		return;
	*grant_p = NULL;
	for (size_t i = 0; i < grant->count; i++)
		recipient_release(&grant->recipients[i]);
	free(grant->recipients);
	free(grant);
}

void grant_news_free(struct grant_news **news_p)
{
	struct grant_news *news = *news_p;

	if (news == NULL)
		return;
	*news_p = NULL;
	for (size_t i = 0; i < news->count; i++)
		reply_release(&news->results[i].reply);
	free(news->results);
	reply_release(&news->reply);
	free(news);
}

void bounce_request_free(struct bounce_request **request_p)
{
	struct bounce_request *request = *request_p;

	if (request == NULL)
		return;
	*request_p = NULL;
	for (size_t i = 0; i < request->count; i++) {
		recipient_release(&request->failures[i].to);
		reply_release(&request->failures[i].reply);
		free(request->failures[i].remote);
	}
	free(request->failures);
	free(request);
}

void header_request_free(struct header_request **request_p)
{
	struct header_request *request = *request_p;

	if (request == NULL)
		return;
	*request_p = NULL;
	free(request->fits);
	free(request);
}

bool report_is_wanted(enum report_kind report, unsigned notify)
{
	static const unsigned bits[] = { [REPORT_FAILED] = NOTIFY_FAILURE,
		                         [REPORT_DELAYED] = NOTIFY_DELAY,
		                         [REPORT_RELAYED] = NOTIFY_SUCCESS };

	if (notify == NOTIFY_DEFAULT)
		return report != REPORT_RELAYED;
	return !(notify & NOTIFY_NEVER) && (notify & bits[report]) != 0;
}

void rehouse_request_free(struct rehouse_request **request_p)
{
	struct rehouse_request *request = *request_p;

	if (request == NULL)
		return;
	*request_p = NULL;
	for (size_t i = 0; i < request->count; i++)
		recipient_release(&request->recipients[i]);
	free(request->recipients);
	free(request->inboxes);
	free(request);
}
