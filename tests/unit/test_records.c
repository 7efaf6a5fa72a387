/* SPDX-License-Identifier: ISC */
/* test_records.c - every key and record there and back, and octets that are none of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spool/private.h"

#include "base/memory.h"

static struct span key_span(const struct key *key)
{
	return span_of(key->bytes, key->length);
}

static struct span record_span(const struct record *record)
{
	return span_of(record->bytes, record->length);
}

/* ---- keys --------------------------------------------------------------------------- */

static void keys_come_back(void **state)
{
	struct due_row due = { .queue = 7,
		               .priority = -9,
		               .class = 65535,
		               .time_us = CLOCK_NEVER,
		               .id = UINT64_MAX - 1,
		               .n = 3 },
		       due_r;
	struct claim claim;
	struct key key;
	uint64_t a;
	uint32_t b, d;
	uint16_t k;
	uint8_t dead;

	(void)state;
	key = key_of_message(UINT64_C(0x123456789abcdef0), 5);
	assert_int_equal(key_parse_message(key_span(&key), &a, &k), 0);
	assert_true(a == UINT64_C(0x123456789abcdef0) && k == 5);
	key = key_of_body(77, UINT32_MAX);
	assert_int_equal(key_parse_body(key_span(&key), &a, &b), 0);
	assert_true(a == 77 && b == UINT32_MAX);
	key = key_of_garbage(1, 9);
	assert_int_equal(key_parse_garbage(key_span(&key), &dead, &a), 0);
	assert_true(dead == 1 && a == 9);
	key = key_of_delivery(4, 3, 2);
	assert_int_equal(key_parse_delivery(key_span(&key), &a, &b, &k), 0);
	assert_true(a == 4 && b == 3 && k == 2);
	key = key_of_claim(8, 9);
	assert_int_equal(key_parse_claim(key_span(&key), &claim), 0);
	assert_true(claim.provider == 8 && claim.slot == 9);
	key = key_of_entry(1, 2, 3);
	assert_int_equal(key_parse_entry(key_span(&key), &d, &a, &k), 0);
	assert_true(d == 1 && a == 2 && k == 3);
	key = key_of_due(&due);
	assert_int_equal(key_parse_due(key_span(&key), &due_r), 0);
	assert_true(due_r.queue == 7 && due_r.priority == -9 && due_r.class == 65535 &&
	            due_r.time_us == CLOCK_NEVER && due_r.id == UINT64_MAX - 1 && due_r.n == 3);
	key.length--;
	assert_int_equal(key_parse_due(key_span(&key), &due_r), -1);
	assert_int_equal(key_parse_entry(key_span(&key), &d, &a, &k), -1);
}

/* Order of octets is order of the schedule: queue, priority from 9 down, class, time, id, n. */
static void due_keys_are_ordered(void **state)
{
	static const struct due_row rows[] = {
		{ .queue = 1, .priority = 9, .class = 65535, .time_us = 5 },
		{ .queue = 1, .priority = 1, .class = 0, .time_us = 0 },
		{ .queue = 1, .priority = 0, .class = 3, .time_us = 9, .id = 1 },
		{ .queue = 1, .priority = 0, .class = 3, .time_us = 300, .id = 0 },
		{ .queue = 1, .priority = 0, .class = 3, .time_us = 300, .id = 0, .n = 1 },
		{ .queue = 1, .priority = 0, .class = 3, .time_us = 300, .id = 1 },
		{ .queue = 1, .priority = 0, .class = 3, .time_us = CLOCK_NEVER },
		{ .queue = 1, .priority = 0, .class = 4, .time_us = 0 },
		{ .queue = 1, .priority = -9, .class = 0, .time_us = 0 },
		{ .queue = 256, .priority = 9, .class = 0, .time_us = 0 },
	};

	(void)state;
	for (size_t i = 1; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key a = key_of_due(&rows[i - 1]), b = key_of_due(&rows[i]);

		assert_int_equal(a.length, b.length);
		assert_true(memcmp(a.bytes, b.bytes, a.length) < 0);
	}
}

static void next_line_follows(void **state)
{
	struct due_row line = { .queue = 4, .priority = SPOOL_BEFORE_FIRST };
	struct due_row last = { .queue = 4, .priority = -9, .class = 65535 };
	struct due_row carry = { .queue = 4, .priority = 9, .class = 65535 };
	struct key key;

	(void)state;
	assert_int_equal(key_of_next_line(&line, &key), 0);
	assert_memory_equal(key.bytes, "\0\0\0\4\0\0\0", 7);
	assert_int_equal(key_of_next_line(&carry, &key), 0);
	assert_memory_equal(key.bytes, "\0\0\0\4\1\0\0", 7);
	assert_int_equal(key_of_next_line(&last, &key), -1);
}

/* ---- short records ------------------------------------------------------------------------ */

static struct record sample_head(void)
{
	struct head head = { .holders = 3,
		             .next_n = 4,
		             .blob = 5,
		             .size = 6,
		             .pieces = 1,
		             .entry_count = 2,
		             .entries = { { 1, 2 }, { 3, 4 } } };

	return record_of_head(&head);
}
static struct record sample_blob(void)
{
	return record_of_blob(&(struct blob_record){ .references = 1, .pieces = 2, .size = 3 });
}
static struct record sample_claim(void)
{
	return record_of_claim(&(struct claim){ .id = 1, .n = 2, .tokens = 3, .time_us = -4 });
}
static struct record sample_tally(void)
{
	return record_of_tally(&(struct tally){ 1, 2, 3, 4, 5, 6, 7 });
}
static struct record sample_inbox_tally(void)
{
	return record_of_inbox_tally(&(struct inbox_tally){ 5, 4, 3, 2, 1 });
}
static int parse_head(struct span value)
{
	struct head head;

	return record_parse_head(value, &head);
}
static int parse_blob(struct span value)
{
	struct blob_record blob;

	return record_parse_blob(value, &blob);
}
static int parse_claim(struct span value)
{
	struct claim claim;

	return record_parse_claim(value, &claim);
}
static int parse_tally(struct span value)
{
	struct tally tally;

	return record_parse_tally(value, &tally);
}
static int parse_inbox_tally(struct span value)
{
	struct inbox_tally tally;

	return record_parse_inbox_tally(value, &tally);
}

/* Whole it is read; cut, lengthened or of another version it is not. */
static void short_records_are_checked(void **state)
{
	static const struct {
		struct record (*sample)(void);
		int (*parse)(struct span value);
	} kinds[] = { { sample_head, parse_head },
		      { sample_blob, parse_blob },
		      { sample_claim, parse_claim },
		      { sample_tally, parse_tally },
		      { sample_inbox_tally, parse_inbox_tally } };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct record record = kinds[i].sample();

		assert_int_equal(kinds[i].parse(record_span(&record)), 0);
		for (size_t length = 0; length < record.length; length++)
			assert_int_equal(kinds[i].parse(span_of(record.bytes, length)), -1);
		assert_int_equal(kinds[i].parse(span_of(record.bytes, record.length + 1)), -1);
		record.bytes[0]++;
		assert_int_equal(kinds[i].parse(record_span(&record)), -1);
	}
}

static void head_comes_back(void **state)
{
	struct record record = sample_head();
	struct head head;

	(void)state;
	assert_int_equal(record_parse_head(record_span(&record), &head), 0);
	assert_int_equal(head.holders, 3);
	assert_int_equal(head.next_n, 4);
	assert_int_equal(head.blob, 5);
	assert_int_equal(head.size, 6);
	assert_int_equal(head.entry_count, 2);
	assert_int_equal(head.entries[1].inbox, 3);
	assert_int_equal(head.entries[1].sequence, 4);
}

/* ---- long records ---------------------------------------------------------------------------- */

static void make_facts(struct bytes *out)
{
	struct message_facts facts = {
		.sender = { .text = memory_text("a@b.example"), .local_length = 1 },
		.body = BODY_8BITMIME,
		.smtputf8 = true,
		.ret = RET_HDRS,
		.envid = memory_text("QQ314159"),
		.terms = { .priority = -9,
		           .require_tls = true,
		           .hold_for_s = 3600,
		           .release_us = 11,
		           .by_mode = BY_NOTIFY,
		           .by_trace = true,
		           .by_us = -12 },
		.trace = { .helo = memory_text("h"),
		           .tls = memory_text("TLSv1.3"),
		           .time_us = 5,
		           .added = TRACE_ADD_DATE | TRACE_ADD_FROM,
		           .from = memory_text("r@h") },
		.listener = memory_text("[::1]:25"),
		.from = memory_text("a@b.example\nc@d.example"),
	};

	record_encode_facts(&facts, out);
	message_facts_release(&facts);
}

static void make_delivery(struct bytes *out)
{
	struct delivery d = { .queue = 3,
		              .generation = 4,
		              .priority = 9,
		              .class = 5,
		              .due_us = 6,
		              .accepted_us = 7,
		              .attempts = 8,
		              .pinned = 9,
		              .pinned_until_us = 10,
		              .return_by_us = 11,
		              .warn_us = 12,
		              .count = 2 };

	d.recipients = memory_new_array(2, sizeof(*d.recipients));
	for (size_t i = 0; i < 2; i++) {
		d.recipients[i].to.address =
			(struct address){ .text = memory_text("x@y.example"), .local_length = 1 };
		d.recipients[i].to.notify = NOTIFY_FAILURE | NOTIFY_DELAY;
	}
	d.recipients[1].to.orcpt = memory_text("rfc822;x@y.example");
	d.recipients[1].last_reply = memory_text("");
	record_encode_delivery(&d, out);
	delivery_release(&d);
}

static void facts_come_back(void **state)
{
	struct bytes record = { 0 };
	struct message_facts facts;

	(void)state;
	make_facts(&record);
	assert_int_equal(record_decode_facts(bytes_span(&record), &facts), 0);
	assert_string_equal(facts.sender.text, "a@b.example");
	assert_int_equal(facts.sender.local_length, 1);
	assert_int_equal(facts.body, BODY_8BITMIME);
	assert_true(facts.smtputf8);
	assert_int_equal(facts.ret, RET_HDRS);
	assert_string_equal(facts.envid, "QQ314159");
	assert_null(facts.login);
	assert_string_equal(facts.trace.helo, "h");
	assert_null(facts.trace.recipient);
	assert_int_equal(facts.trace.time_us, 5);
	assert_int_equal(facts.trace.added, TRACE_ADD_DATE | TRACE_ADD_FROM);
	assert_string_equal(facts.trace.from, "r@h");
	assert_string_equal(facts.listener, "[::1]:25");
	assert_string_equal(facts.from, "a@b.example\nc@d.example");
	assert_int_equal(facts.terms.priority, -9);
	assert_int_equal(facts.trace.priority, -9);
	assert_true(facts.terms.require_tls && facts.terms.by_trace);
	assert_true(facts.terms.hold_for_s == 3600 && facts.terms.release_us == 11 &&
	            facts.terms.by_mode == BY_NOTIFY && facts.terms.by_us == -12);
	message_facts_release(&facts);
	bytes_release(&record);
}

static void delivery_comes_back(void **state)
{
	struct bytes record = { 0 };
	struct delivery d;

	(void)state;
	make_delivery(&record);
	assert_int_equal(record_decode_delivery(bytes_span(&record), &d), 0);
	assert_true(d.queue == 3 && d.generation == 4 && d.priority == 9 && d.class == 5 &&
	            d.due_us == 6 && d.accepted_us == 7 && d.attempts == 8 && d.pinned == 9 &&
	            d.pinned_until_us == 10 && d.return_by_us == 11 && d.count == 2);
	assert_null(d.recipients[0].to.orcpt);
	assert_null(d.recipients[0].last_reply);
	assert_string_equal(d.recipients[1].to.orcpt, "rfc822;x@y.example");
	assert_string_equal(d.recipients[1].last_reply, "");
	assert_int_equal(d.recipients[1].to.notify, NOTIFY_FAILURE | NOTIFY_DELAY);
	delivery_release(&d);
	bytes_release(&record);
}

static int decode_facts(struct span value)
{
	struct message_facts facts;
	int rc = record_decode_facts(value, &facts);

	if (rc == 0)
		message_facts_release(&facts);
	return rc;
}

static int decode_delivery(struct span value)
{
	struct delivery delivery;
	int rc = record_decode_delivery(value, &delivery);

	if (rc == 0)
		delivery_release(&delivery);
	return rc;
}

/* Truncated at each length, and with each octet replaced: a clean answer each time. */
static void long_records_are_checked(void **state)
{
	static const struct {
		void (*make)(struct bytes *out);
		int (*decode)(struct span value);
	} kinds[] = { { make_facts, decode_facts }, { make_delivery, decode_delivery } };
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bytes record = { 0 };

		kinds[i].make(&record);
		assert_int_equal(kinds[i].decode(bytes_span(&record)), 0);
		for (size_t length = 0; length < record.length; length++) {
			/* On the heap at its own size: a sanitizer sees one octet too many. */
			unsigned char *cut = malloc(length + (length == 0));

			memcpy(cut, record.data, length);
			assert_int_equal(kinds[i].decode(span_of(cut, length)), -1);
			free(cut);
		}
		for (size_t at = 0; at < record.length; at++) {
			unsigned char was = record.data[at];

			for (size_t v = 0; v < sizeof(values); v++) {
				record.data[at] = values[v];
				(void)kinds[i].decode(bytes_span(&record));
			}
			record.data[at] = was;
		}
		assert_int_equal(kinds[i].decode(bytes_span(&record)), 0);
		bytes_release(&record);
	}
}

static void noise_is_refused(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (size_t round = 0; round < 20000; round++) {
		unsigned char noise[96];

		for (size_t i = 0; i < sizeof(noise); i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
			noise[i] = (unsigned char)(seed >> 56);
		}
		noise[0] =
			1 + round % 2; /* a version that is known, so that the rest is looked at */
		assert_int_equal(decode_facts(span_of(noise, sizeof(noise))), -1);
		assert_int_equal(decode_delivery(span_of(noise, sizeof(noise))), -1);
		assert_int_equal(parse_head(span_of(noise, sizeof(noise))), -1);
	}
}

/* As they were written before there was a listener (version 3), fields to add (version 2) and terms
 * (version 1). */
static void earlier_versions_are_read(void **state)
{
	static const size_t terms = 1 + 1 + 4 + 8 + 1 + 1 + 8, added = 1 + 1 + 4 + 3,
			    routing = 1 + 4 + 8 + 1 + 4 + 23;
	static const size_t return_by_at = 3 + 47;
	struct bytes record = { 0 };
	struct message_facts facts;
	struct delivery d;

	(void)state;
	make_facts(&record);
	record.data[0] = 3;
	assert_int_equal(decode_facts(bytes_span(&record)), -1);
	record.length -= routing;
	assert_int_equal(record_decode_facts(bytes_span(&record), &facts), 0);
	assert_string_equal(facts.trace.from, "r@h");
	assert_null(facts.listener);
	assert_null(facts.from);
	message_facts_release(&facts);
	record.data[0] = 2;
	assert_int_equal(decode_facts(bytes_span(&record)), -1);
	record.length -= added;
	assert_int_equal(record_decode_facts(bytes_span(&record), &facts), 0);
	assert_int_equal(facts.terms.priority, -9);
	assert_int_equal(facts.trace.added, 0);
	assert_null(facts.trace.from);
	message_facts_release(&facts);
	record.data[0] = 1;
	assert_int_equal(decode_facts(bytes_span(&record)), -1);
	record.length -= terms;
	assert_int_equal(record_rows(bytes_span(&record)), 1);
	assert_int_equal(record_decode_facts(bytes_span(&record), &facts), 0);
	assert_string_equal(facts.envid, "QQ314159");
	assert_int_equal(facts.trace.time_us, 5);
	assert_true(facts.terms.priority == 0 && facts.terms.release_us == 0 &&
	            facts.terms.by_mode == BY_NONE && !facts.terms.require_tls);
	message_facts_release(&facts);
	bytes_clear(&record);
	make_delivery(&record);
	assert_int_equal(be64_load(record.data + return_by_at), 11);
	assert_int_equal(record_warn(bytes_span(&record)), 12);
	record.data[0] = 3;
	memmove(record.data + return_by_at + 8, record.data + return_by_at + 16,
	        record.length - return_by_at - 16);
	record.length -= 8;
	assert_int_equal(record_warn(bytes_span(&record)), 0);
	assert_int_equal(record_decode_delivery(bytes_span(&record), &d), 0);
	assert_true(d.return_by_us == 11 && d.warn_us == 0 && d.count == 2);
	delivery_release(&d);
	record.data[0] = 1;
	memmove(record.data + return_by_at, record.data + return_by_at + 8,
	        record.length - return_by_at - 8);
	record.length -= 8;
	assert_int_equal(record_decode_delivery(bytes_span(&record), &d), 0);
	assert_true(d.pinned_until_us == 10 && d.return_by_us == 0 && d.count == 2);
	assert_string_equal(d.recipients[1].to.orcpt, "rfc822;x@y.example");
	delivery_release(&d);
	record.data[0] = 5;
	assert_int_equal(decode_delivery(bytes_span(&record)), -1);
	assert_int_equal(record_rows(bytes_span(&record)), 0);
	bytes_release(&record);
}

/* Without the octets of extras; of an inbox without read marks, then without a sieve. */
static void earlier_tallies_are_read(void **state)
{
	struct record record = sample_tally();
	struct inbox_tally inbox;
	struct tally tally;

	(void)state;
	record.bytes[0] = 1;
	assert_int_equal(record_parse_tally(record_span(&record), &tally), -1);
	record.length -= 8;
	assert_int_equal(record_parse_tally(record_span(&record), &tally), 0);
	assert_true(tally.octets == 6 && tally.extras == 0);
	record = sample_inbox_tally();
	record.bytes[0] = 2;
	record.length -= 8;
	assert_int_equal(record_parse_inbox_tally(record_span(&record), &inbox), 0);
	assert_true(inbox.last_sequence == 5 && inbox.octets == 2 && inbox.plain == 5);
	record.bytes[0] = 1;
	record.length -= 16;
	assert_int_equal(record_parse_inbox_tally(record_span(&record), &inbox), 0);
	assert_true(inbox.count == 4 && inbox.unread == 0 && inbox.plain == 5);
}

/* An entry as version 3 had it: its id and the summary. Labels that do not add up are refused. */
static void entries_are_read(void **state)
{
	static const unsigned char labels[] = "\3red\5green";
	struct entry_record entry = { .id = UINT64_C(1000) << 22,
		                      .time_us = 5,
		                      .size = 6,
		                      .read = true,
		                      .extra_rows = { 1, 2, 3 },
		                      .labels = span_of(labels, sizeof(labels) - 1),
		                      .summary = span_of_text("summary") };
	struct bytes record = { 0 };

	(void)state;
	record_encode_entry(&entry, &record);
	assert_int_equal(record_decode_entry(bytes_span(&record), &entry), 0);
	assert_true(entry.id == UINT64_C(1000) << 22 && entry.time_us == 5 && entry.size == 6 &&
	            entry.read && entry.extra_rows[2] == 3 && entry.labels.length == 10);
	assert_true(span_equal_text(entry.summary, "summary"));
	for (size_t length = 0; length < record.length - 7; length++)
		assert_int_equal(record_decode_entry(span_of(record.data, length), &entry), -1);
	record.data[record.length - 7 - 6] = 6; /* the second label's length */
	assert_int_equal(record_decode_entry(bytes_span(&record), &entry), -1);

	record.data[0] = 3;
	memcpy(record.data + 11, "summary", 7);
	assert_int_equal(record_decode_entry(span_of(record.data, 18), &entry), 0);
	assert_true(entry.time_us == CLOCK_SEC && entry.size == 0 && entry.read);
	assert_true(span_equal_text(entry.summary, "summary") && entry.labels.length == 0);
	bytes_release(&record);
}

/* ---- rows
 * ---------------------------------------------------------------------------------------- */

static struct key plain_key(void *context, uint16_t k)
{
	(void)context;
	return key_of_message(1, k);
}

static void long_records_are_cut(void **state)
{
	static const size_t sizes[] = { 3, 100, 101, 200, 201, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bytes record = { 0 }, rows = { 0 };
		size_t count = 0, total = 0, at = 0;

		bytes_reserve(&record, sizes[i]);
		memset(record.data, 1, sizes[i]);
		record.length = sizes[i];
		rows_of_long(&rows, (struct row){ .table = TABLE_MESSAGE }, plain_key, NULL,
		             &record, 100);
		while (at < rows.length) {
			struct row row;

			memcpy(&row, rows.data + at, sizeof(row));
			assert_true(row.value_length <= 100);
			at += sizeof(row) + row.key_length + row.value_length;
			total += row.value_length;
			count++;
		}
		assert_int_equal(total, sizes[i]);
		assert_int_equal(count, (sizes[i] + 99) / 100);
		assert_int_equal(record_rows(bytes_span(&record)), count);
		bytes_release(&record);
		bytes_release(&rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_come_back),
		cmocka_unit_test(due_keys_are_ordered),
		cmocka_unit_test(next_line_follows),
		cmocka_unit_test(short_records_are_checked),
		cmocka_unit_test(head_comes_back),
		cmocka_unit_test(facts_come_back),
		cmocka_unit_test(delivery_comes_back),
		cmocka_unit_test(long_records_are_checked),
		cmocka_unit_test(noise_is_refused),
		cmocka_unit_test(long_records_are_cut),
		cmocka_unit_test(earlier_versions_are_read),
		cmocka_unit_test(earlier_tallies_are_read),
		cmocka_unit_test(entries_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
