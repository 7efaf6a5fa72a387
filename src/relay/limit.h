/* SPDX-License-Identifier: ISC */
/* limit.h - the rates of one provider: when the next MAIL may be written.
 *
 * A rate of N per P: no window of length P, wherever it begins, holds more than N. A token
 * is busy from limit_take() until P after the moment told by limit_spend(), or until
 * limit_return(). Pure bookkeeping in monotonic time; the caller passes it.
 */
#ifndef RELAY_LIMIT_H
#define RELAY_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

#define LIMIT_UNKNOWN INT64_MAX /* not before something in flight is told of */

struct limit;

struct limit *limit_new(const struct rate *rates, size_t count);
void limit_free(struct limit **limit);

/* Most recipients one message may have and still pass every rate. */
size_t limit_recipients_max(const struct limit *limit);
/* The earliest departure of a message with that many recipients, not before now, as things stand;
 * LIMIT_UNKNOWN: all tokens that could become free are in flight. */
int64_t limit_when(struct limit *limit, int64_t now_us, size_t recipients);
/* Takes the tokens for a departure that limit_when() allowed. */
void limit_take(struct limit *limit, int64_t depart_us, size_t recipients);
/* Taken tokens were used: MAIL was written at mail_us, and RCPT not later than rcpt_us. */
void limit_spend(struct limit *limit, int64_t mail_us, int64_t rcpt_us, size_t recipients);
/* Taken tokens were not used. */
void limit_return(struct limit *limit, size_t recipients);
/* Counts what a former process may have sent. */
void limit_recover(struct limit *limit, int64_t now_us, size_t recipients);

/* From now on the rate of that place is so many; what was used of it stays used. Not less than it
 * was. */
void limit_raise(struct limit *limit, size_t place, uint64_t count);

/* How the use of a window is kept: by slices of the wall clock. */
#define LIMIT_SLICES      256 /* of a period */
#define LIMIT_SLICES_KEPT 260
struct limit_slice {
	enum rate_unit unit;
	int64_t period_us;
	int64_t slice;
	uint64_t tokens;
};
/* What a message written then adds to each window; returns how many. */
size_t limit_slices(const struct limit *limit, int64_t mail_wall_us, int64_t rcpt_wall_us,
                    size_t recipients, struct limit_slice *out, size_t max);
/* Counts a slice of a former process, the older ones first; ahead: wall clock less monotonic. */
void limit_restore(struct limit *limit, const struct limit_slice *slice, int64_t ahead_us,
                   int64_t now_us);
bool limit_idle(struct limit *limit, int64_t now_us); /* nothing is used or in flight */

#endif
