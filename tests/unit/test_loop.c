/* SPDX-License-Identifier: ISC */
/* test_loop.c - timers in order under a set clock, turns, channels, watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/loop.h"

#define NOW (1000 * CLOCK_SEC)

struct set_loop {
	struct clock_set clock;
	struct loop *loop;
	char order[64];
};

static int setup(void **state)
{
	struct set_loop *f = memory_new(sizeof *f);

	clock_set_init(&f->clock, NOW);
	f->loop = loop_new_set(&f->clock);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct set_loop *f = *state;

	loop_free(&f->loop);
	free(f);
	return 0;
}

struct letter {
	struct timer timer;
	struct set_loop *f;
	char sign;
	int64_t fired_at;
};

static void letter_fired(void *context)
{
	struct letter *l = context;
	size_t length = strlen(l->f->order);

	l->f->order[length] = l->sign;
	l->fired_at = loop_now(l->f->loop);
}

static void letter_init(struct letter *l, struct set_loop *f, char sign)
{
	*l = (struct letter){ .f = f, .sign = sign };
	timer_init(&l->timer, f->loop, letter_fired, l);
}

static void test_timers_fire_in_order_at_their_time(void **state)
{
	struct set_loop *f = *state;
	struct letter a, b, c;
	int64_t start = loop_now(f->loop);

	letter_init(&a, f, 'a');
	letter_init(&b, f, 'b');
	letter_init(&c, f, 'c');
	timer_start(&c.timer, 30 * CLOCK_SEC);
	timer_start(&a.timer, 10 * CLOCK_SEC);
	timer_start_at(&b.timer, start + 20 * CLOCK_SEC);
	loop_pass(f->loop, 10 * CLOCK_SEC - 1);
	assert_string_equal(f->order, "");
	loop_pass(f->loop, 1);
	assert_string_equal(f->order, "a");
	loop_pass(f->loop, CLOCK_MIN);
	assert_string_equal(f->order, "abc");
	assert_int_equal(b.fired_at - start, 20 * CLOCK_SEC);
	assert_int_equal(c.fired_at - start, 30 * CLOCK_SEC);
	assert_int_equal(loop_now(f->loop) - start, CLOCK_MIN + 10 * CLOCK_SEC);
}

static void test_timer_restarts_and_stops(void **state)
{
	struct set_loop *f = *state;
	struct letter a, b;

	letter_init(&a, f, 'a');
	letter_init(&b, f, 'b');
	timer_start(&a.timer, CLOCK_SEC);
	timer_start(&b.timer, CLOCK_SEC);
	timer_start(&a.timer, 3 * CLOCK_SEC);
	assert_true(timer_running(&b.timer));
	timer_stop(&b.timer);
	timer_stop(&b.timer);
	assert_false(timer_running(&b.timer));
	loop_pass(f->loop, 2 * CLOCK_SEC);
	assert_string_equal(f->order, "");
	loop_pass(f->loop, CLOCK_SEC);
	assert_string_equal(f->order, "a");
	assert_false(timer_running(&a.timer));
	timer_start(&a.timer, CLOCK_NEVER);
	loop_pass(f->loop, 1000 * CLOCK_DAY);
	assert_string_equal(f->order, "a");
}

struct again {
	struct timer timer;
	int left;
};

static void again_fired(void *context)
{
	struct again *a = context;

	if (--a->left > 0)
		timer_start(&a->timer, 0);
}

static void test_timer_may_start_itself_anew(void **state)
{
	struct set_loop *f = *state;
	struct again a = { .left = 5 };
	unsigned long before;

	timer_init(&a.timer, f->loop, again_fired, &a);
	timer_start(&a.timer, 0);
	before = loop_turns(f->loop);
	loop_pass(f->loop, 0);
	assert_int_equal(a.left, 0);
	/* One firing a turn: descriptors had their chance between them. */
	assert_true(loop_turns(f->loop) - before >= 5);
}

#define MANY 10000

static void test_ten_thousand_timers(void **state)
{
	struct set_loop *f = *state;
	struct again *many = memory_new_array(MANY, sizeof *many);
	int fired = 0;

	for (int i = 0; i < MANY; i++) {
		many[i].left = 1;
		timer_init(&many[i].timer, f->loop, again_fired, &many[i]);
		timer_start(&many[i].timer, (i * 7919) % MANY * CLOCK_MS);
	}
	for (int i = 0; i < MANY; i += 2)
		timer_stop(&many[i].timer);
	loop_pass(f->loop, MANY * CLOCK_MS);
	for (int i = 0; i < MANY; i++)
		fired += many[i].left == 0;
	assert_int_equal(fired, MANY / 2);
	free(many);
}

struct note {
	struct channel_item item;
	int *sum;
};

static void note_arrived(struct channel_item *item, void *receiver)
{
	struct note *n = (struct note *)(void *)item;

	assert_ptr_equal(receiver, n->sum);
	(*n->sum)++;
}

static void test_channel_is_received_with_a_set_clock(void **state)
{
	struct set_loop *f = *state;
	int sum = 0;
	struct channel *channel = channel_new(&sum);
	struct note notes[2] = { { .item.arrived = note_arrived, .sum = &sum },
		                 { .item.arrived = note_arrived, .sum = &sum } };

	loop_attach(f->loop, channel);
	channel_post(channel, &notes[0].item);
	channel_post(channel, &notes[1].item);
	loop_pass(f->loop, 0);
	assert_int_equal(sum, 2);
	loop_free(&f->loop);
	channel_free(&channel);
}

/* A real loop */

struct real {
	struct loop *loop;
	struct watch *watch;
	int fds[2];
	int ready;
	int turns;
};

static void pipe_ready(void *context, bool is_readable, bool is_writable)
{
	struct real *r = context;
	char c;

	assert_true(is_readable);
	assert_false(is_writable);
	assert_int_equal(read(r->fds[0], &c, 1), 1);
	if (++r->ready == 3) {
		watch_free(&r->watch);
		loop_stop(r->loop);
	}
}

static void turn_ended(void *context)
{
	((struct real *)context)->turns++;
}

static void test_watch_runs_until_stopped(void **state)
{
	struct real r = { .loop = loop_new(clock_system()) };

	(void)state;
	assert_int_equal(pipe(r.fds), 0);
	assert_int_equal(write(r.fds[1], "abcd", 4), 4);
	r.watch = watch_new(r.loop, r.fds[0], pipe_ready, &r);
	watch_want(r.watch, true, false);
	loop_on_turn(r.loop, turn_ended, &r);
	loop_run(r.loop);
	assert_int_equal(r.ready, 3);
	assert_int_equal(r.turns, 3);
	assert_int_equal(loop_turns(r.loop), 3);
	loop_free(&r.loop);
	close(r.fds[0]);
	close(r.fds[1]);
}

static void stop_fired(void *context)
{
	loop_stop(context);
}

static void test_real_timers_wake_the_loop(void **state)
{
	struct loop *loop = loop_new(clock_system());
	struct timer late, soon;
	int64_t start = loop_now(loop);

	(void)state;
	timer_init(&late, loop, stop_fired, loop);
	timer_init(&soon, loop, stop_fired, loop);
	timer_start(&late, CLOCK_HOUR);
	timer_start(&soon, 2 * CLOCK_MS);
	loop_run(loop);
	assert_true(loop_now(loop) - start >= 2 * CLOCK_MS);
	assert_false(timer_running(&soon));
	assert_true(timer_running(&late));
	timer_stop(&late);
	loop_free(&loop);
}

static void test_channel_wakes_a_real_loop(void **state)
{
	struct loop *loop = loop_new(clock_system());
	int sum = 0;
	struct channel *channel = channel_new(&sum);
	struct note note = { .item.arrived = note_arrived, .sum = &sum };

	(void)state;
	loop_attach(loop, channel);
	channel_post(channel, &note.item);
	loop_turn(loop, true);
	assert_int_equal(sum, 1);
	loop_free(&loop);
	channel_free(&channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_timers_fire_in_order_at_their_time, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_timer_restarts_and_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_may_start_itself_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ten_thousand_timers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_channel_is_received_with_a_set_clock, setup,
		                                teardown),
		cmocka_unit_test(test_watch_runs_until_stopped),
		cmocka_unit_test(test_real_timers_wake_the_loop),
		cmocka_unit_test(test_channel_wakes_a_real_loop),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
