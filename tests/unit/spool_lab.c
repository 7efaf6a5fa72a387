/* SPDX-License-Identifier: ISC */
/* spool_lab.c - see spool_lab.h. */
#include "spool_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"

/* ---- a spool ----------------------------------------------------------------------- */

void lab_init(struct lab *lab, enum spool_mode mode)
{
	*lab = (struct lab){ .directory = "/tmp/penstock-spool-XXXXXX" };
	if (mkdtemp(lab->directory) == NULL)
		fail_msg("cannot make %s", lab->directory);
	clock_set_init(&lab->clock, LAB_WALL);
	lab->options = (struct spool_options){ .path = lab->directory,
		                               .max_size = UINT64_C(1) << 30,
		                               .mode = mode,
		                               .clock = &lab->clock.clock };
}

void lab_open_only(struct lab *lab)
{
	struct bytes error = { 0 };

	if (spool_open(&lab->sp, &lab->options, &error) != 0)
		fail_msg("%s", bytes_text(&error));
	lab->home = channel_new(lab);
	lab->reader = reader_new(lab->sp);
}

void lab_start(struct lab *lab)
{
	struct bytes error = { 0 };

	if (spool_start(lab->sp, &error) != 0)
		fail_msg("%s", bytes_text(&error));
}

void lab_open(struct lab *lab)
{
	lab_open_only(lab);
	lab_start(lab);
}

void lab_close(struct lab *lab)
{
	reader_free(&lab->reader);
	if (lab->sp != NULL)
		spool_stop(lab->sp);
	if (lab->home != NULL)
		while (channel_receive(lab->home))
			;
	spool_close(&lab->sp);
	channel_free(&lab->home);
}

void lab_reopen(struct lab *lab)
{
	lab_close(lab);
	lab_open(lab);
}

void lab_release(struct lab *lab)
{
	static const char *const files[] = { "data.mdb", "lock.mdb", "lock" };
	char path[128];

	lab_close(lab);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", lab->directory, files[i]);
		unlink(path);
	}
	rmdir(lab->directory);
}

int lab_setup(void **state)
{
	struct lab *lab = memory_new(sizeof(*lab));

	lab_init(lab, SPOOL_RELAY);
	lab_open(lab);
	*state = lab;
	return 0;
}

int lab_teardown(void **state)
{
	struct lab *lab = *state;

	lab_release(lab);
	free(lab);
	return 0;
}

/* ---- requests -------------------------------------------------------------------------- */

void lab_wait(struct lab *lab, const bool *done)
{
	while (!*done) {
		channel_wait(lab->home, 100000);
		channel_receive(lab->home);
	}
}

static void put_done(struct spool_request *request, int result)
{
	struct fate *fate = ((struct put *)(void *)request)->owner;

	*fate = (struct fate){ .done = true, .result = result };
}

static void transition_done(struct spool_request *request, int result)
{
	struct fate *fate = ((struct transition *)(void *)request)->owner;

	*fate = (struct fate){ .done = true, .result = result };
}

static void chunk_done(struct spool_request *request, int result)
{
	struct fate *fate = ((struct chunk *)(void *)request)->owner;

	*fate = (struct fate){ .done = true, .result = result };
}

static void removal_done(struct spool_request *request, int result)
{
	struct fate *fate = ((struct inbox_removal *)(void *)request)->owner;

	*fate = (struct fate){ .done = true, .result = result };
}

void lab_send_put(struct lab *lab, struct put *put, struct fate *fate)
{
	*fate = (struct fate){ .done = false };
	put->owner = fate;
	put->request.home = lab->home;
	put->request.done = put_done;
	spool_put(lab->sp, put);
}

static void prepare(struct lab *lab, struct transition *t, struct fate *fate)
{
	*fate = (struct fate){ .done = false };
	t->owner = fate;
	t->request.home = lab->home;
	t->request.done = transition_done;
}

void lab_send_claim(struct lab *lab, struct transition *t, struct fate *fate)
{
	prepare(lab, t, fate);
	spool_claim(lab->sp, t);
}

void lab_send_outcome(struct lab *lab, struct transition *t, struct fate *fate)
{
	prepare(lab, t, fate);
	spool_outcome(lab->sp, t);
}

int lab_put(struct lab *lab, struct put *put, uint64_t *id_r)
{
	struct fate fate;

	lab_send_put(lab, put, &fate);
	lab_wait(lab, &fate.done);
	if (id_r != NULL)
		*id_r = put->facts.id;
	put_free(&put);
	return fate.result;
}

int lab_claim(struct lab *lab, struct transition *t)
{
	struct fate fate;

	lab_send_claim(lab, t, &fate);
	lab_wait(lab, &fate.done);
	transition_free(&t);
	return fate.result;
}

int lab_outcome(struct lab *lab, struct transition *t)
{
	struct fate fate;

	prepare(lab, t, &fate);
	spool_outcome_now(lab->sp, t);
	lab_wait(lab, &fate.done);
	transition_free(&t);
	return fate.result;
}

int lab_chunk(struct lab *lab, uint64_t blob, uint32_t first_piece, const void *data, size_t length)
{
	struct fate fate = { .done = false };
	struct chunk chunk = { .request = { .home = lab->home, .done = chunk_done },
		               .blob = blob,
		               .first_piece = first_piece,
		               .owner = &fate };

	bytes_append(&chunk.data, data, length);
	spool_chunk(lab->sp, &chunk);
	lab_wait(lab, &fate.done);
	bytes_release(&chunk.data);
	return fate.result;
}

int lab_remove(struct lab *lab, uint32_t inbox, const uint64_t *sequences, size_t count)
{
	struct fate fate = { .done = false };
	struct inbox_removal removal = { .request = { .home = lab->home, .done = removal_done },
		                         .inbox = inbox,
		                         .sequences = (uint64_t *)(uintptr_t)sequences,
		                         .count = count,
		                         .owner = &fate };

	spool_inbox_remove(lab->sp, &removal);
	lab_wait(lab, &fate.done);
	return fate.result;
}

/* ---- messages ----------------------------------------------------------------------------- */

char lab_octet(size_t at)
{
	return (char)('a' + (at * 7 + at / 251) % 26);
}

struct put *lab_message(struct lab *lab, size_t size)
{
	struct put *put = put_new(lab->sp);

	put->facts.sender =
		(struct address){ .text = memory_text("from@example.org"), .local_length = 4 };
	put->facts.trace.client = memory_text("127.0.0.1");
	put->facts.trace.helo = memory_text("client.example.org");
	put->facts.trace.time_us = LAB_WALL;
	put->facts.size = size;
	bytes_reserve(&put->body, size);
	for (size_t i = 0; i < size; i++)
		put->body.data[i] = (unsigned char)lab_octet(i);
	put->body.length = size;
	return put;
}

struct delivery *lab_delivery(uint32_t queue, int8_t priority, uint16_t class, int64_t due_us,
                              size_t recipients)
{
	struct delivery *d = memory_new(sizeof(*d));

	d->queue = queue;
	d->priority = priority;
	d->class = class;
	d->due_us = due_us;
	d->accepted_us = LAB_WALL;
	d->recipients = memory_new_array(recipients, sizeof(*d->recipients));
	for (; d->count < recipients; d->count++) {
		char text[64];

		snprintf(text, sizeof(text), "to%zu@example.net", d->count);
		d->recipients[d->count].to.address =
			(struct address){ .text = memory_text(text),
			                  .local_length = strcspn(text, "@") };
	}
	return d;
}

uint64_t lab_simple(struct lab *lab, size_t size)
{
	struct put *put = lab_message(lab, size);
	uint64_t id = 0;

	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	assert_int_equal(lab_put(lab, put, &id), 0);
	assert_true(id > 0);
	return id;
}

bool lab_body_is(struct lab *lab, uint64_t blob, size_t size)
{
	char buffer[10000];
	size_t at = 0, got;

	do {
		if (reader_body(lab->reader, blob, at, buffer, sizeof(buffer), &got) != 0)
			return false;
		for (size_t i = 0; i < got; i++)
			if (buffer[i] != lab_octet(at + i))
				return false;
		at += got;
	} while (got > 0);
	return at == size;
}

/* ---- transitions ------------------------------------------------------------------------------
 */

struct due_row lab_due_of(const struct delivery *d)
{
	return (struct due_row){ .queue = d->queue,
		                 .priority = d->priority,
		                 .class = d->class,
		                 .time_us = d->due_us,
		                 .id = d->id,
		                 .n = d->n };
}

struct delivery *lab_read(struct lab *lab, uint64_t id, uint32_t n)
{
	struct delivery *d = memory_new(sizeof(*d));

	if (!reader_delivery(lab->reader, id, n, d))
		fail_msg("no delivery %llx/%u", (unsigned long long)id, n);
	return d;
}

struct transition *lab_to_claim(struct lab *lab, uint64_t id, uint32_t n, uint32_t slot)
{
	struct transition *t = transition_new(id, n);

	t->now = lab_read(lab, id, n);
	t->has_due = true;
	t->due = lab_due_of(t->now);
	t->now->attempts++;
	t->claims = true;
	t->claim = (struct claim){ .provider = 3, .slot = slot, .id = id, .n = n, .tokens = 1 };
	return t;
}

struct transition *lab_to_end(struct lab *lab, uint64_t id, uint32_t n, uint32_t slot)
{
	struct transition *t = transition_new(id, n);

	(void)lab;
	t->unclaims = true;
	t->claim = (struct claim){ .provider = 3, .slot = slot, .id = id, .n = n };
	return t;
}

struct transition *lab_to_defer(struct lab *lab, uint64_t id, uint32_t n, uint32_t slot,
                                int64_t due_us)
{
	struct transition *t = lab_to_end(lab, id, n, slot);

	t->now = lab_read(lab, id, n);
	t->now->due_us = due_us;
	return t;
}

static bool has_upkeep(struct lab *lab)
{
	return atomic_load(&lab->sp->garbage) || atomic_load(&lab->sp->keep_behind);
}

void lab_settle(struct lab *lab)
{
	/* What waits on the channel comes first; though refused, this comes back after it. */
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, 0, 0, 0)), -1);
	while (has_upkeep(lab))
		channel_wait(lab->home, 1000);
}

void lab_is_good(struct lab *lab)
{
	const char *bad = lab_check(lab->sp);

	if (bad != NULL)
		fail_msg("%s", bad);
}
