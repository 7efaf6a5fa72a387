/* SPDX-License-Identifier: ISC */
/* faults.h - what an inbox does wrong on purpose, so that applications can be tested with it.
 *
 * A set of rules never changes but for the counts in it; who wants other rules makes another set.
 * Any thread may have a set, which lasts as long as somebody shares it.
 */
#ifndef RECEIVE_FAULTS_H
#define RECEIVE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/channel.h"
#include "config/settings.h"
#include "mail/address.h"
#include "mail/envelope.h"

/* When the fault happens; in the order of a session. */
enum fault_stage {
	FAULT_CONNECT, /* before the banner */
	FAULT_HELO,
	FAULT_AUTH, /* when name and password are known */
	FAULT_MAIL,
	FAULT_RCPT,
	FAULT_DATA, /* behind the content */
	FAULT_STAGES
};
enum fault_action {
	FAULT_REPLY, /* with the code; without one only late */
	FAULT_DISCONNECT,
	FAULT_SLOW, /* the reply comes octet by octet */
	FAULT_ACTIONS
};

/* One rule. */
struct fault {
	char *sender, *recipient; /* patterns as in routes; NULL: any */
	enum fault_stage stage;
	enum fault_action action;
	uint64_t skip, count; /* not the first ones; so often; count 0: always */
	int64_t delay_us;     /* before it; FAULT_SLOW: before each octet */
	unsigned code;        /* 400 to 599; 0: none */
	char *text;           /* of the reply, on one line; NULL: one of ours */
	unsigned probability; /* percent */
};
void fault_release(struct fault *f);

#define FAULTS_MAX      1000                /* rules; each command is compared with all of them */
#define FAULT_TEXT_MAX  400                 /* octets */
#define FAULT_DELAY_MAX (10 * CLOCK_MIN)    /* clients give up after five, by RFC 5321 4.5.3.2 */
#define FAULT_COUNT_MAX INT64_C(1000000000) /* of skip and count */

/* What is wrong with the rule, for who wrote it; NULL: nothing. */
const char *fault_problem(const struct fault *f);
const char *fault_stage_name(enum fault_stage stage);
const char *fault_action_name(enum fault_action action);
/* false: there is none of that name. */
bool fault_stage_find(const char *name, enum fault_stage *stage_r);
bool fault_action_find(const char *name, enum fault_action *action_r);

/* What of Mailpit's chaos is in force when nobody has said anything. */
struct chaos chaos_default(size_t trigger);

struct faults;
/* Takes the rules' content. */
struct faults *faults_new(struct fault *rules, size_t count,
                          const struct chaos chaos[CHAOS_TRIGGERS]);
/* The same rules, with what of their counts is used up, and another chaos. from NULL: no rules. */
struct faults *faults_with_chaos(const struct faults *from,
                                 const struct chaos chaos[CHAOS_TRIGGERS]);
struct faults *faults_share(struct faults *faults); /* NULL stays NULL */
void faults_free(struct faults **faults);
size_t faults_count(const struct faults *faults);
const struct fault *faults_rule(const struct faults *faults, size_t i);
uint64_t faults_happened(const struct faults *faults, size_t i); /* how often */
struct chaos faults_chaos(const struct faults *faults, size_t trigger);

/* What is known at a stage; NULL: not yet. */
struct fault_case {
	enum fault_stage stage;
	const struct address *sender;
	const struct address *recipient;    /* of this command, */
	const struct recipient *recipients; /* or of the message */
	size_t recipient_count;
};
/* The fault that happens now, which is counted; NULL: none. It is the set's. */
const struct fault *faults_find(struct faults *faults, const struct fault_case *at);

/* A new set on its way to all workers, so that who asked for it can say when it is in force. */
struct faults_change {
	struct channel_item item; /* comes back to home when all have it */
	struct channel *home;
	_Atomic size_t waiting; /* workers that have not got it */
	struct faults *faults;
	void *owner;
};

#endif
