/* SPDX-License-Identifier: ISC */
/* fuzz_session.c - bytes to an inbound session: once whole, once in pieces with a slow writer.
 *
 * First octet: the pieces, whether logins are checked, and a fault; second: the configuration.
 * Whatever the client says, both runs have to say and store the same; replies are SMTP; nothing is
 * stored without a 354, or a BDAT, and a 250 of its own; the quota is whole in the end and nothing
 * is left (receive_server asserts that).
 */
#include <stdarg.h>
#include <setjmp.h>
#include "fuzz.h"
#include <cmocka.h>

#include <string.h>

#include "base/log.h"
#include "mail/dialogue.h"
#include "receive/private.h"
#include "../unit/receive_server.h"

enum {
	CONFIG_AUTH = 1,
	CONFIG_STRICT = 2,
	CONFIG_LOCAL = 4,
	CONFIG_SMALL = 8,
	CONFIG_TLS = 16,
	CONFIG_FAILS = 32,
	CONFIG_NO_RELAY = 64,
	CONFIG_HOLD = 128
};

/* Bits of the first octet: with CONFIG_AUTH; and a fault, which the others choose. */
#define CHECKED 128
#define FAULTY  64

/* Steps of a second in which a refusal has come: it is held back for four at most. */
#define REFUSAL_STEPS 5
/* All that a fault delays is over; little enough for the clock not to show. */
#define PLAY_STEP     1000 /* microseconds */

/* A users' file of one login. */
struct file {
	struct login_check *check; /* waits */
};

static uint64_t file_generation(void *context)
{
	(void)context;
	return 1;
}

static int file_check(void *context, struct login_check *check)
{
	struct file *file = context;

	CHECK(file->check == NULL);
	CHECK(is_clean(span_of_text(check->name), 0));
	if (strcmp(check->name, "busy") == 0)
		return -1; /* too many wait */
	file->check = check;
	return 0;
}

/* The helper answers, and time passes if it said no. false: nothing was asked. */
static bool file_answer(struct server *v, struct file *file)
{
	struct login_check *check = file->check;
	bool good;
	int i;

	if (check == NULL)
		return false;
	file->check = NULL;
	check->known = strcmp(check->name, "anna") == 0;
	check->good = check->known && strcmp(check->password, "secret") == 0;
	check->generation = 1;
	good = check->good;
	check->done(check); /* it may be gone then */
	server_pass(v, 0);
	for (i = 0; !good && i < REFUSAL_STEPS && v->heard.length == 0; i++)
		server_pass(v, CLOCK_SEC);
	return true;
}

static struct faults *faults_of(unsigned choice)
{
	static const unsigned codes[] = { 0, 451, 550 };
	const struct chaos calm[CHAOS_TRIGGERS] = { { 451, 0 }, { 451, 0 }, { 535, 0 } };
	struct fault f = { .stage = (enum fault_stage)(choice % FAULT_STAGES),
		           .action = (enum fault_action)(choice / 8 % FAULT_ACTIONS),
		           .code = codes[choice / 16 % 3],
		           .skip = choice % 2,
		           .count = 2,
		           .delay_us = 1,
		           .probability = 100 };

	if (f.action == FAULT_DISCONNECT)
		f.code = 0;
	CHECK(fault_problem(&f) == NULL);
	return faults_new(&f, 1, calm);
}

/* Lets a fault go on. false: none is played. */
static bool play(struct server *v)
{
	const struct session *s;

	if (list_empty(&v->receive.sessions))
		return false;
	s = list_entry(v->receive.sessions.next, struct session, node);
	if (s->play == NULL || s->stream == NULL)
		return false;
	server_pass(v, PLAY_STEP);
	return true;
}

static void configure(struct server *v, struct file *file, unsigned config, bool checked)
{
	v->receive.users = (struct receive_users){ file_generation, file_check, file };
	v->listener.auth = config & CONFIG_AUTH ? AUTH_ANY : AUTH_OFF;
	if (checked && (config & CONFIG_AUTH) != 0)
		v->listener.auth = config & CONFIG_NO_RELAY ? AUTH_REQUIRED : AUTH_OPTIONAL;
	v->listener.auth_without_tls = checked;
	v->receive.records = true;
	v->listener.reject_bare_newline = (config & CONFIG_STRICT) != 0;
	v->listener.local_submission = (config & CONFIG_LOCAL) != 0;
	v->listener.tls = config & CONFIG_TLS ? LISTENER_TLS_REQUIRED : LISTENER_TLS_OFF;
	v->listener.open_relay = (config & CONFIG_NO_RELAY) == 0;
	v->listener.max_future_release_us = config & CONFIG_HOLD ? CLOCK_DAY : 0;
	v->result = config & CONFIG_FAILS ? -1 : 0;
	if (config & CONFIG_SMALL) {
		v->listener.max_message_size = 50;
		v->listener.max_recipients = 2;
	}
}

/* What waits is done, and what follows from it. */
static void complete(struct server *v, struct file *file, struct bytes *heard)
{
	for (;;) {
		if (v->put != NULL || v->chunk != NULL) {
			bytes_append_text(heard, server_complete(v, v->result));
			continue;
		}
		bytes_clear(&v->heard);
		if (!file_answer(v, file) && !play(v))
			return;
		bytes_append_text(heard, bytes_text(&v->heard));
	}
}

static void say_whole(struct server *v, struct file *file, struct span text, struct bytes *heard)
{
	bytes_append_text(heard, server_say_span(v, text));
	complete(v, file, heard);
}

static void say_in_pieces(struct server *v, struct file *file, struct span text, unsigned seed,
                          struct bytes *heard)
{
	while (text.length > 0 && v->client != NULL) {
		size_t length;

		seed = seed * 1103515245 + 12345;
		length = 1 + (seed >> 16) % (seed % 8 == 0 ? 1000 : 60);
		length = length < text.length ? length : text.length;
		bytes_append_text(heard, server_say_span(v, span_of(text.data, length)));
		complete(v, file, heard);
		text = span_of(text.data + length, text.length - length);
	}
}

/* RFC 2034 4: every 2yz, 4yz and 5yz but the banner and the answers to EHLO and HELO. */
static bool has_enhanced_code(const char *line)
{
	return line[0] == '3' || line[3] == '-' || strncmp(line + 4, "ENHANCED", 8) == 0 ||
	       strncmp(line + 4, "mx.test", 7) == 0 || (line[4] == line[0] && line[5] == '.');
}

/* Counts replies with that code; every line has to be one. */
static size_t count_replies(const char *heard, const char *code)
{
	size_t count = 0;

	while (*heard != '\0') {
		const char *end = strstr(heard, "\r\n");

		CHECK(end != NULL && end - heard >= 4 && end - heard <= 510);
		CHECK(heard[0] >= '2' && heard[0] <= '5' && (heard[3] == ' ' || heard[3] == '-'));
		CHECK(has_enhanced_code(heard));
		CHECK(is_clean(span_of(heard, (size_t)(end - heard)), 0));
		count += strncmp(heard, code, strlen(code)) == 0;
		heard = end + 2;
	}
	return count;
}

/* How often BDAT can have been said. */
static size_t count_chunks(struct span said)
{
	size_t count = 0;

	for (; said.length >= 4; said = span_of(said.data + 1, said.length - 1))
		count += span_starts_nocase(said, "BDAT");
	return count;
}

/* But for the times: in pieces some of it is said later. */
static void check_same_dialogue(const struct stored *a, const struct stored *b)
{
	struct dialogue_reader ra = dialogue_reader(bytes_span(&a->dialogue), a->id);
	struct dialogue_reader rb = dialogue_reader(bytes_span(&b->dialogue), b->id);
	struct dialogue_line la, lb;

	while (dialogue_next(&ra, &la)) {
		CHECK(dialogue_next(&rb, &lb));
		CHECK(la.from == lb.from && span_equal(la.text, lb.text));
	}
	CHECK(!dialogue_next(&rb, &lb));
	CHECK(a->dialogue.length > 0);
}

static void check_same(struct server *whole, struct server *parts, const char *text,
                       const char *heard, struct span said)
{
	CHECK(strcmp(text, heard) == 0);
	CHECK(whole->stored_count == parts->stored_count);
	CHECK(whole->closed == parts->closed);
	CHECK(count_replies(text, "250 2.0.0 queued as ") == whole->stored_count);
	CHECK(count_replies(text, "354 ") + count_chunks(said) >= whole->stored_count);
	for (size_t i = 0; i < whole->stored_count; i++) {
		const struct stored *a = &whole->stored[i], *b = &parts->stored[i];

		CHECK(span_equal(bytes_span(&a->content), bytes_span(&b->content)));
		CHECK(span_equal(bytes_span(&a->recipients), bytes_span(&b->recipients)));
		check_same_dialogue(a, b);
		CHECK(strcmp(a->sender, b->sender) == 0);
		CHECK(is_clean(bytes_span(&a->recipients), '\n'));
		CHECK(is_clean(span_of_text(a->sender), 0));
		CHECK(a->login == NULL || is_clean(span_of_text(a->login), 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct server whole, parts;
	struct file whole_file = { 0 }, parts_file = { 0 };
	struct bytes text_heard = { 0 }, heard = { 0 };
	struct span text;

	if (length < 2)
		return 0;
	log_open("fuzz", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	text = span_of(data + 2, length - 2);
	server_init(&whole);
	configure(&whole, &whole_file, data[1], data[0] & CHECKED);
	if (data[0] & FAULTY)
		whole.receive.faults = faults_of(data[0] % FAULTY);
	server_connect(&whole);
	if (text.length > 0)
		say_whole(&whole, &whole_file, text, &text_heard);
	server_init(&parts);
	configure(&parts, &parts_file, data[1], data[0] & CHECKED);
	if (data[0] & FAULTY)
		parts.receive.faults = faults_of(data[0] % FAULTY);
	parts.automatic = false;
	server_connect(&parts);
	say_in_pieces(&parts, &parts_file, text, data[0], &heard);
	check_same(&whole, &parts, bytes_text(&text_heard), bytes_text(&heard), text);
	bytes_release(&text_heard);
	bytes_release(&heard);
	server_release(&whole);
	server_release(&parts);
	faults_free(&whole.receive.faults);
	faults_free(&parts.receive.faults);
	return 0;
}
