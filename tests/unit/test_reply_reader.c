/* SPDX-License-Identifier: ISC */
/* Lines to replies at any split, bounded, and what had been sent before a reply began. */
#include <string.h>

#include "transport_stage.h"

struct desk {
	struct clock_set clock;
	struct loop *loop;
	struct stream *here, *there;
	struct reply_reader reader;
};

static void desk_open(struct desk *d)
{
	*d = (struct desk){ 0 };
	clock_set_init(&d->clock, 0);
	d->loop = loop_new_set(&d->clock);
	stream_pair(d->loop, &d->here, &d->there);
	stream_set_events(d->here, NULL, NULL);
}

static void desk_close(struct desk *d)
{
	reply_reader_release(&d->reader);
	stream_free(&d->here);
	stream_free(&d->there);
	loop_free(&d->loop);
}

static enum read_progress arrives(struct desk *d, const char *text, size_t length, uint64_t sent,
                                  int *code_r, uint64_t *sent_r)
{
	struct reply reply = { 0 };
	enum read_progress progress;

	stream_write(d->there, text, length);
	loop_pass(d->loop, 0);
	reply_reader_arrived(&d->reader, sent);
	progress = reply_reader_next(&d->reader, d->here, &reply, sent_r);
	*code_r = reply.code;
	reply_release(&reply);
	return progress;
}

static void test_every_split(void **state)
{
	static const char text[] = "250-one\r\n250-two\n250 three\r\n";

	(void)state;
	for (size_t split = 1; split < sizeof text - 1; split++) {
		struct desk d;
		uint64_t sent = 0;
		int code = 0;

		desk_open(&d);
		assert_int_equal(arrives(&d, text, split, 5, &code, &sent), READ_MORE);
		assert_int_equal(
			arrives(&d, text + split, sizeof text - 1 - split, 99, &code, &sent),
			READ_REPLY);
		assert_int_equal(code, 250);
		assert_int_equal(sent, 5); /* when its first octet came */
		assert_int_equal(arrives(&d, "354 go\r\n", 8, 120, &code, &sent), READ_REPLY);
		assert_int_equal(sent, 120);
		desk_close(&d);
	}
}

static void test_bounds(void **state)
{
	char line[REPLY_LINE_MAX + 2];

	(void)state;
	for (size_t length = REPLY_LINE_MAX - 2; length <= REPLY_LINE_MAX; length++) {
		struct desk d;
		uint64_t sent;
		int code;

		memset(line, 'x', sizeof line);
		memcpy(line, "250 ", 4);
		desk_open(&d);
		assert_int_equal(arrives(&d, line, length, 0, &code, &sent),
		                 length < REPLY_LINE_MAX ? READ_MORE : READ_BROKEN);
		if (length < REPLY_LINE_MAX)
			assert_int_equal(arrives(&d, "\r\n", 2, 0, &code, &sent),
			                 length + 2 <= REPLY_LINE_MAX ? READ_REPLY : READ_BROKEN);
		desk_close(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_split),
		                            cmocka_unit_test(test_bounds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
