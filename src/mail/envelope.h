/* SPDX-License-Identifier: ISC */
/* envelope.h - reverse-path, recipients and their ESMTP parameters. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdint.h>

#include "mail/address.h"

enum envelope_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME }; /* RFC 6152, RFC 3030 */
enum envelope_ret { RET_DEFAULT, RET_FULL, RET_HDRS };            /* RFC 3461 4.3 */
enum notify {
	NOTIFY_DEFAULT = 0,
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8
}; /* RFC 3461 4.1, bits */

enum by_mode { BY_NONE, BY_RETURN, BY_NOTIFY }; /* RFC 2852 */

/* What the sender asked for beyond being delivered. Zeroed: nothing. */
struct envelope_terms {
	int8_t priority;  /* RFC 6710 MT-PRIORITY: -9 to 9 */
	bool require_tls; /* RFC 8689 */
	uint32_t
		hold_for_s; /* RFC 4865 HOLDFOR as it was said, in seconds; 0: HOLDUNTIL, or none */
	int64_t release_us; /* RFC 4865: wall clock, nothing is sent before; 0: at once */
	enum by_mode by_mode; /* RFC 2852: what happens at by_us */
	bool by_trace;
	int64_t by_us; /* wall clock */
};

struct recipient {
	struct address address;
	unsigned notify; /* enum notify bits */
	char *orcpt;     /* RFC 3461 4.2, as received in xtext; NULL: none */
};

struct envelope {
	struct address sender; /* the reverse-path */
	enum envelope_body body;
	bool smtputf8; /* RFC 6531 */
	enum envelope_ret ret;
	char *envid;            /* as received in xtext; NULL: none */
	uint64_t declared_size; /* SIZE=, 0: not said */
	struct envelope_terms terms;
	struct recipient *recipients;
	size_t count;
	size_t capacity;
};

void envelope_init(struct envelope *env);
void envelope_release(struct envelope *env);
/* Takes the content of `to`, which is left empty. */
void envelope_add_recipient(struct envelope *env, struct recipient *to);
void recipient_release(struct recipient *r);
void recipient_copy(struct recipient *to, const struct recipient *from);

#endif
