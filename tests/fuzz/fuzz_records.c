/* SPDX-License-Identifier: ISC */
/* fuzz_records.c - whatever octets stand in a row, they are read as a record or refused.
 *
 * The first octet chooses the kind. What is read is written again and must read the same.
 * For libFuzzer: FUZZ_FOLDERS=spool FUZZ_MODULES=lmdb.
 */
#include "fuzz.h"

#include <string.h>

#include "spool/private.h"

static void check_facts(struct span value)
{
	struct bytes first = { 0 }, second = { 0 };
	struct message_facts facts;

	if (record_decode_facts(value, &facts) != 0)
		return;
	CHECK(facts.sender.local_length <= strlen(facts.sender.text));
	record_encode_facts(&facts, &first);
	message_facts_release(&facts);
	CHECK(record_decode_facts(bytes_span(&first), &facts) == 0);
	record_encode_facts(&facts, &second);
	message_facts_release(&facts);
	CHECK(span_equal(bytes_span(&first), bytes_span(&second)));
	bytes_release(&first);
	bytes_release(&second);
}

static void check_delivery(struct span value)
{
	struct bytes first = { 0 }, second = { 0 };
	struct delivery d;

	if (record_decode_delivery(value, &d) != 0)
		return;
	CHECK(d.count <= SPOOL_RECIPIENTS_MAX && d.priority >= -9 && d.priority <= 9);
	record_encode_delivery(&d, &first);
	delivery_release(&d);
	CHECK(record_decode_delivery(bytes_span(&first), &d) == 0);
	record_encode_delivery(&d, &second);
	delivery_release(&d);
	CHECK(span_equal(bytes_span(&first), bytes_span(&second)));
	bytes_release(&first);
	bytes_release(&second);
}

static void check_head(struct span value)
{
	struct record record;
	struct head head;

	if (record_parse_head(value, &head) != 0)
		return;
	record = record_of_head(&head);
	CHECK(span_equal(value, span_of(record.bytes, record.length)));
}

static void check_small(struct span value)
{
	struct record record;
	struct claim claim;
	struct tally tally;
	struct blob_record blob;

	if (record_parse_claim(value, &claim) == 0) {
		record = record_of_claim(&claim);
		CHECK(span_equal(value, span_of(record.bytes, record.length)));
	}
	if (record_parse_tally(value, &tally) == 0 && value.data[0] == 2) { /* as it is written */
		record = record_of_tally(&tally);
		CHECK(span_equal(value, span_of(record.bytes, record.length)));
	}
	if (record_parse_blob(value, &blob) == 0) {
		record = record_of_blob(&blob);
		CHECK(span_equal(value, span_of(record.bytes, record.length)));
	}
}

static void check_keys(struct span value)
{
	struct due_row row;
	struct key key;
	if (key_parse_due(value, &row) == 0) {
		key = key_of_due(&row);
		CHECK(span_equal(value, span_of(key.bytes, key.length)));
	}
}

static void check_entry(struct span value)
{
	struct bytes first = { 0 }, second = { 0 };
	struct entry_record entry;

	if (record_decode_entry(value, &entry) != 0)
		return;
	CHECK(entry.summary.data + entry.summary.length == value.data + value.length);
	record_encode_entry(&entry, &first);
	CHECK(record_decode_entry(bytes_span(&first), &entry) == 0);
	record_encode_entry(&entry, &second);
	CHECK(span_equal(bytes_span(&first), bytes_span(&second)));
	bytes_release(&first);
	bytes_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static void (*const kinds[])(struct span value) = {
		check_facts, check_delivery, check_head, check_small, check_keys, check_entry
	};

	if (length == 0)
		return 0;
	kinds[data[0] % 6](span_of(data + 1, length - 1));
	return 0;
}
