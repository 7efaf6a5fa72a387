/* SPDX-License-Identifier: ISC */
/* web.h - the HTTP side: the inbox's APIs and page over TCP, and all of it with the control API on
 * the Unix socket.
 *
 * Runs on a thread of its own with its own loop and reader. It reads the spool itself; whatever
 * changes a delivery is an order to the dispatcher, whatever changes an inbox a request to the
 * writer.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "base/bytes.h"
#include "config/settings.h"
#include "receive/faults.h"
#include "receive/receive.h"
#include "relay/relay.h"
#include "spool/spool.h"

struct tls_context;

struct web_reload {
	struct channel_item item;
	struct channel *home;
	void (*done)(struct web_reload *request);
	void *owner;
	bool restarts;      /* there are new settings, which are being put in force */
	bool failed;        /* they are wrong, and the old ones stay: */
	struct bytes error; /* the asker's to release */
};

struct web_options {
	int control_fd; /* bound and listening; taken */
	const int
		*fds; /* the same, of settings->http.listeners; taken, the array is the caller's */
	size_t fd_count;
	struct tls_context *tls;  /* of all of them; taken. NULL: none */
	const char *smtp_address; /* where applications are to send; "": nowhere */
	unsigned smtp_port;
	const struct settings *settings;
	const uint32_t *inboxes; /* their numbers in the spool, in the order of the settings */
	struct spool *spool;
	const struct router *router;
	const struct intake *intake; /* of messages that are sent here */
	const struct clock *clock;
	/* Orders; they come back on order->home, which is the web thread's channel. */
	void (*order)(void *context, struct relay_order *order);
	void (*status)(void *context, struct relay_status_request *request);
	void (*stop)(void *context); /* `penstock stop` */
	/* `penstock reload`; it comes back on request->home. */
	void (*reload)(void *context, struct web_reload *request);
	/* Hands a set of faults to all workers; it comes back to change->home when all have it.
	 * NULL: there are no faults here. */
	void (*use_faults)(void *context, struct faults_change *change);
	struct faults *faults; /* in force; shared */
	void *context;
};

struct web;

int web_start(struct web **web_r, const struct web_options *options, struct bytes *error);
/* Ends the thread: nothing is asked any more. Orders may still come back to its channel until
 * those who carry them out are gone; then web_free(). Both take NULL. */
void web_stop(struct web *web);
/* What is in force from the start, by --chaos and the rules of --faults; NULL: nothing. 0, or -1
 * with *error. */
int web_faults_read(struct faults **faults_r, const struct settings *settings, struct bytes *error);
/* From any thread until web_free(): a session that failed, for those who look what went wrong.
 * Takes the record. */
void web_session_failed(struct web *web, struct session_record *record);
/* Likewise: a reply of 4yz or 5yz, for those who watch what happens. */
void web_client_refused(struct web *web, const char *client, const char *text);
/* The same: what became of a recipient of a message that was released. `state` is a constant. */
void web_release_told(struct web *web, uint64_t id, const char *recipient, const char *state,
                      const char *reply);
/* From any thread until web_stop(): for the next handshakes. Takes the context. */
void web_use_tls(struct web *web, struct tls_context *tls);
void web_free(struct web **web);

#endif
