/* SPDX-License-Identifier: ISC */
/* intake.c - the hook that gives a message being accepted its inbox entries.
 *
 * On the worker only what the envelope says is noted; the rest is found on a mime helper, once
 * for all entries of the put, from the chunks that the spool has already and from the put's own
 * octets. Whatever cannot be parsed has an entry all the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/private.h"
#include "mail/header.h"

/* Octets of the text for search: what the header says and the names of files are bounded apart, so
 * that a long text never hides them. */
#define WORDS_OF_HEADER_MAX (32 * 1024)
#define WORDS_OF_FILES_MAX  (16 * 1024)

static void intake_add(void *context, struct put *put, uint32_t inbox,
                       const struct recipient *recipients, size_t count)
{
	struct summary s;
	struct bytes record = { 0 };

	(void)context;
	summary_begin(&s, &put->facts, recipients, count);
	summary_encode(&s, &record);
	put_add_entry(put, inbox, &record);
	bytes_append_span(&put->entries[put->entry_count - 1].extras[SPOOL_DIALOGUE],
	                  bytes_span(&put->dialogue));
	summary_release(&s);
}

/* ---- the content of a put ---------------------------------------------------------- */

struct content {
	const struct put *put;
	struct reader *reader; /* NULL: all of it is in the put */
	uint64_t ahead;        /* octets that are in the spool */
};

static int content_read(void *context, uint64_t off, void *out, size_t len, size_t *got_r)
{
	const struct content *c = context;
	const struct put *put = c->put;
	uint64_t left;

	if (put->shares)
		return reader_body(c->reader, put->facts.blob, off, out, len, got_r);
	if (off < c->ahead) {
		left = c->ahead - off;
		return reader_chunks(c->reader, put->facts.blob, off, out,
		                     left < len ? (size_t)left : len, got_r);
	}
	off -= c->ahead;
	left = off < put->body.length ? put->body.length - off : 0;
	*got_r = left < len ? (size_t)left : len;
	if (*got_r > 0)
		memcpy(out, put->body.data + off, *got_r);
	return 0;
}

static void parse_put(struct mime_parse *parse_r, const struct put *put, struct spool *spool)
{
	struct content c = { .put = put };
	struct mime_source source = { .read = content_read, .context = &c };

	if (put->shares || put->first_piece > 0)
		c.reader = reader_new(spool);
	if (put->first_piece > 0)
		c.ahead = (uint64_t)put->first_piece * spool_piece_size(spool);
	source.size = put->shares ? put->facts.size : c.ahead + put->body.length;
	mime_parse(parse_r, &source, clock_system());
	reader_free(&c.reader);
}

/* As it is read later: with the fields that the message came without. The id is not known before
 * the commit: summary_complete(). */
static void whole_header(const struct put *put, struct bytes *out)
{
	struct span header = put_header(put);

	trace_format_added(&put->facts.trace, 0, out);
	if ((put->facts.trace.added & TRACE_ADD_LINE) == 0)
		bytes_append(out, header.data, header_length(header));
}

/* ---- words for search --------------------------------------------------------------- */

static void add_words(struct bytes *words, struct span text, size_t end)
{
	if (words->length < end && text.length > end - words->length)
		text.length = end - words->length;
	if (words->length < end)
		search_fold(words, text);
}

static void words_of_header(struct bytes *words, struct span header, const struct summary *s)
{
	static const char *const names[] = { "From", "Subject", "To", "Cc", "Bcc", "Reply-To" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct bytes text = { 0 };
		struct span value;

		if (header_find(header, names[i], &value))
			header_decode(value, &text);
		add_words(words, bytes_span(&text), WORDS_OF_HEADER_MAX);
		bytes_release(&text);
	}
	for (size_t i = 0; i < s->recipient_count; i++)
		add_words(words, span_of_text(s->recipients[i]), WORDS_OF_HEADER_MAX);
	add_words(words, span_of_text(s->sender), WORDS_OF_HEADER_MAX);
}

static void words_of_files(struct bytes *words, const struct mime_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		if (index->parts[i].filename[0] != '\0')
			add_words(words, span_of_text(index->parts[i].filename),
			          WORDS_OF_FILES_MAX);
}

static void gather_words(struct bytes *words, struct span header, const struct summary *s,
                         const struct mime_parse *parse)
{
	struct bytes files = { 0 };

	words_of_files(&files, &parse->index);
	words_of_header(words, header, s);
	add_words(words, bytes_span(&parse->text), MIME_SEARCH_MAX - files.length);
	if (files.length > 0) {
		bytes_append_char(words, ' ');
		bytes_append_span(words, bytes_span(&files));
	}
	bytes_release(&files);
}

/* ---- an entry -------------------------------------------------------------------------- */

/* With names as long as they may be, in a thousand parts, it can be too much. */
static void encode_index(const struct mime_index *index, struct bytes *out)
{
	const struct mime_index none = { .why = (char *)(uintptr_t) "too much about its parts" };

	mime_index_encode(index, out);
	if (out->length > SPOOL_EXTRA_MAX) {
		bytes_clear(out);
		mime_index_encode(&none, out);
	}
}

static void apply_rules(struct inbox_rules *rules, const struct put *put,
                        const struct put_entry *entry, struct labels *labels)
{
	const struct inbox_row row = { .time_us = put->facts.trace.time_us,
		                       .size = put->facts.size,
		                       .summary = bytes_span(&entry->summary),
		                       .text = bytes_span(&entry->extras[SPOOL_TEXT]) };

	if (rules != NULL)
		rules_apply(rules, entry->inbox, &row, put->facts.login, labels);
}

static void finish_entry(struct inbox_rules *rules, struct put_entry *entry, const struct put *put,
                         struct span header, const struct mime_parse *parse)
{
	struct labels labels = { 0 };
	struct summary s;

	if (summary_decode(&s, bytes_span(&entry->summary)) != 0)
		return; /* ours, and just made: it is not damaged */
	gather_words(&entry->extras[SPOOL_TEXT], header, &s, parse);
	summary_finish(&s, &put->facts.trace, header, parse);
	bytes_clear(&entry->summary);
	summary_encode(&s, &entry->summary);
	encode_index(&parse->index, &entry->extras[SPOOL_PARTS]);
	labels_of_message(&labels, &s, header);
	apply_rules(rules, put, entry, &labels);
	entry->labels = labels.items;
	entry->label_count = labels.count;
	summary_release(&s);
}

static void intake_finish(void *context, struct put *put, struct spool *spool)
{
	struct mime_parse parse;
	struct bytes header = { 0 };

	whole_header(put, &header);
	parse_put(&parse, put, spool);
	for (size_t i = 0; i < put->entry_count; i++)
		finish_entry(context, &put->entries[i], put, bytes_span(&header), &parse);
	mime_parse_release(&parse);
	bytes_release(&header);
}

struct intake inbox_intake(struct inbox_rules *rules)
{
	return (struct intake){
		.add = intake_add,
		.finish = intake_finish,
		.context = rules,
	};
}
