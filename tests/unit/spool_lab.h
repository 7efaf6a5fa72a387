/* SPDX-License-Identifier: ISC */
/* spool_lab.h - a spool in a directory of its own, and what must be true of any spool.
 *
 * Requests are made and waited for here: a test says what it stores, not how.
 */
#ifndef TESTS_SPOOL_LAB_H
#define TESTS_SPOOL_LAB_H

#include "spool/private.h"

#define LAB_WALL (INT64_C(1790000000) * CLOCK_SEC) /* in 2026 */

struct lab {
	char directory[64];
	struct clock_set clock;
	struct spool_options options;
	struct spool *sp;
	struct channel *home;
	struct reader *reader;
};

void lab_init(struct lab *lab, enum spool_mode mode); /* makes the directory, opens nothing */
void lab_open(struct lab *lab);                       /* and starts */
void lab_open_only(struct lab *lab);                  /* requests wait until lab_start() */
void lab_start(struct lab *lab);
void lab_close(struct lab *lab); /* stops and closes; the directory stays */
void lab_reopen(struct lab *lab);
void lab_release(struct lab *lab); /* and removes the directory */
/* cmocka's setup and teardown: *state is a started lab. */
int lab_setup(void **state);
int lab_teardown(void **state);

/* Runs what comes home until *done. */
void lab_wait(struct lab *lab, const bool *done);

/* Ends once the writer has nothing left to do by itself. */
void lab_settle(struct lab *lab);

/* One request's fate. Its address is the request's owner. */
struct fate {
	bool done;
	int result;
};
void lab_send_put(struct lab *lab, struct put *put, struct fate *fate);
void lab_send_claim(struct lab *lab, struct transition *t, struct fate *fate);
void lab_send_outcome(struct lab *lab, struct transition *t, struct fate *fate);
/* The same and wait; the request is freed; the result. */
int lab_put(struct lab *lab, struct put *put, uint64_t *id_r);
int lab_claim(struct lab *lab, struct transition *t);
int lab_outcome(struct lab *lab, struct transition *t);
int lab_chunk(struct lab *lab, uint64_t blob, uint32_t first_piece, const void *data,
              size_t length);
int lab_remove(struct lab *lab, uint32_t inbox, const uint64_t *sequences, size_t count);

/* A put with a body of that many octets (of lab_octet()). */
struct put *lab_message(struct lab *lab, size_t size);
struct delivery *lab_delivery(uint32_t queue, int8_t priority, uint16_t class, int64_t due_us,
                              size_t recipients);
/* A message with one delivery in queue 1, stored. */
uint64_t lab_simple(struct lab *lab, size_t size);
char lab_octet(size_t at);
/* Whether the stored body is lab_octet() for size octets and no more. */
bool lab_body_is(struct lab *lab, uint64_t blob, size_t size);

/* Transitions of a delivery as it is stored now. */
struct transition *lab_to_claim(struct lab *lab, uint64_t id, uint32_t n, uint32_t slot);
struct transition *lab_to_end(struct lab *lab, uint64_t id, uint32_t n, uint32_t slot);
struct transition *lab_to_defer(struct lab *lab, uint64_t id, uint32_t n, uint32_t slot,
                                int64_t due_us);
struct due_row lab_due_of(const struct delivery *delivery);
struct delivery *lab_read(struct lab *lab, uint64_t id, uint32_t n); /* fails when not there */

/* NULL, or what is wrong with the stored tables. */
const char *lab_check(struct spool *sp);
void lab_is_good(struct lab *lab); /* fails with what lab_check() says */
size_t lab_rows(struct spool *sp, enum table_number table);

#endif
