/* SPDX-License-Identifier: ISC */
/* data.c - the content of a message: decoded, bounded, handed to the writer, answered.
 *
 * Small mail stays in the put; of larger mail whole pieces go ahead as chunks, one at a time, and
 * the stream pauses until each is back (a credit of one). What cannot be accepted is swallowed to
 * its end without being kept, because only then may be answered. 250 is said in one place: in the
 * put's completion. After every answer the transaction is over (RFC 5321 4.1.1.4).
 */
#include "receive/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "mail/header.h"
#include "mail/id.h"

struct data {
	struct session *session;
	struct dot_decoder decoder;
	struct put *put; /* body: what is decoded and not yet with the writer */
	struct chunk chunk;
	const struct refusal *fault; /* NULL: none */
	uint64_t received;           /* octets read that count as progress */
	uint64_t swallowed;          /* octets read after the fault */
	uint64_t left;               /* octets of the BDAT chunk that are still to come */
	enum session_state reading;  /* SESSION_DATA or SESSION_BDAT */
	enum session_state back;     /* stray: where the session was, and will be again */
	int64_t started_us;          /* moved on by the time the writer had us wait */
	int64_t paused_us;
	size_t share; /* octets of content to gather for a chunk */
	bool outstanding;
	bool header_done; /* put->header is complete */
	bool last;        /* the chunk is the last one */
	bool doomed;      /* the BDAT command itself was refused: its octets are nothing */
	bool stray;       /* and it belongs to no transaction */
};

static const struct refusal bare = { 554, "5.6.0", "Bare CR or LF in the content is refused" };
static const struct refusal looping = { 554, "5.4.6", "Routing loop: too many Received fields" };
static const struct refusal header_too_big = { 552, "5.3.4",
	                                       "Header is larger than this server takes" };
/* RFC 5322 has no NUL, half of what reads mail stops at one, and next hops refuse it: better the
 * client hears it than the sender of a bounce. */
static const struct refusal has_nul = { 554, "5.6.0", "NUL in the content is refused" };

bool data_outstanding(const struct data *data)
{
	return data->outstanding;
}

int64_t data_deadline(const struct session *s)
{
	const struct data *d = s->data;

	uint64_t rate = s->receive->listener->min_data_rate;

	if (rate == 0)
		return INT64_MAX;
	return d->started_us + session_patience(s) + (int64_t)(d->received / rate) * CLOCK_SEC;
}

static void chunks_drop(struct data *d)
{
	const struct receive_store *store = &d->session->receive->store;

	if (d->put->first_piece > 0)
		store->drop(store->context, d->put->facts.blob);
	d->put->first_piece = 0;
}

void data_free(struct session *s)
{
	struct data *d = s->data;

	s->data = NULL;
	chunks_drop(d);
	put_free(&d->put);
	bytes_release(&d->chunk.data);
	clients_content_end(s->receive->clients);
	if (s->stream != NULL)
		stream_set_read_size(s->stream, STREAM_READ_SIZE);
	free(d);
}

/* Nothing of it is kept any more, and others may have its room while the rest of it comes. The last
 * word counts: see content_fault(). */
static void fault(struct data *d, const struct refusal *refusal)
{
	d->fault = refusal;
	chunks_drop(d);
	if (!d->stray)
		session_unreserve(d->session);
	bytes_release(&d->put->body);
	bytes_release(&d->chunk.data);
	bytes_release(&d->put->header);
}

/* How much is gathered for a chunk, and received at a time: less when many messages come at once.
 */
static void share_update(struct data *d)
{
	struct session *s = d->session;

	d->share = clients_content_share(s->receive->clients, s->receive->store.piece_size,
	                                 SPOOL_CHUNK_MAX);
	if (d->share < SPOOL_CHUNK_MAX)
		bytes_release(&d->chunk.data);
	if (s->stream != NULL)
		stream_set_read_size(s->stream, d->share);
}

/* A request goes to the writer, a completion comes back. */
static void outstanding(struct data *d)
{
	d->outstanding = true;
	d->paused_us = session_now(d->session);
	session_enter(d->session, SESSION_WRITER);
}

static void came_back(struct data *d)
{
	d->outstanding = false;
	d->started_us += session_now(d->session) - d->paused_us;
}

/* ---- chunks ------------------------------------------------------------ */

/* Of streamed mail the header section is kept: routing, loop check and summary read it. */
static void keep_header(struct data *d, struct span content)
{
	struct bytes *header = &d->put->header;
	size_t room = HEADER_MAX - header->length, length;

	if (d->header_done)
		return;
	bytes_append(header, content.data, content.length < room ? content.length : room);
	length = header_length(bytes_span(header));
	d->header_done = length < header->length || header->length == HEADER_MAX;
	header->length = length;
}

static void chunk_done(struct spool_request *request, int result)
{
	struct chunk *chunk = list_entry(request, struct chunk, request);
	struct data *d = chunk->owner;
	struct session *s = d->session;

	came_back(d);
	if (result != 0)
		fault(d, &refusal_no_room);
	share_update(d);
	if (s->state != SESSION_OVER)
		session_enter(s, d->reading);
	session_resume(s);
}

/* Hands on as many whole pieces as a request may hold; the rest stays. */
static void chunk_send(struct data *d)
{
	const struct receive_store *store = &d->session->receive->store;
	struct put *put = d->put;
	size_t piece = store->piece_size, most = SPOOL_CHUNK_MAX;
	struct bytes full = put->body;
	size_t whole = (full.length < most ? full.length : most) / piece * piece;

	put->body = d->chunk.data;
	bytes_clear(&put->body);
	bytes_append(&put->body, full.data + whole, full.length - whole);
	full.length = whole;
	keep_header(d, bytes_span(&full));
	if (put->first_piece == 0)
		put->facts.blob = store->blob_new(store->context);
	d->chunk.data = full;
	d->chunk.blob = put->facts.blob;
	d->chunk.first_piece = put->first_piece;
	d->chunk.owner = d;
	d->chunk.request.home = d->session->receive->home;
	d->chunk.request.done = chunk_done;
	put->first_piece += (uint32_t)(whole / piece);
	outstanding(d);
	store->chunk(store->context, &d->chunk);
}

/* ---- the end of the content ---------------------------------------------- */

static void log_accepted(const struct session *s, const struct message_facts *facts, const char *id)
{
	struct bytes more = { 0 };

	if (facts->login != NULL)
		bytes_printf(&more, " login=%s", log_quoted(facts->login));
	if (facts->terms.priority != 0)
		bytes_printf(&more, " priority=%d", facts->terms.priority);
	log_info("message accepted msg=%s from=%s rcpts=%zu size=%llu client=%s helo=%s%s", id,
	         log_quoted(facts->sender.text), s->envelope.count, (unsigned long long)facts->size,
	         facts->trace.client, log_quoted(facts->trace.helo), bytes_text(&more));
	bytes_release(&more);
	metric_add(METRIC_MESSAGES_ACCEPTED, 1);
	metric_add(METRIC_RECIPIENTS_ACCEPTED, (int64_t)s->envelope.count);
	metric_add(METRIC_BYTES_ACCEPTED, (int64_t)facts->size);
}

static void put_accepted(struct session *s, const struct put *put)
{
	char id[ID_TEXT_SIZE];

	id_format(put->facts.id, id);
	log_accepted(s, &put->facts, id);
	session_replyf(s, 250, "2.0.0", "queued as %s", id);
	s->errors = s->junk = 0;
	s->waiting_us = session_now(s);
	record_accepted(s);
}

static void put_done(struct spool_request *request, int result)
{
	struct put *put = list_entry(request, struct put, request);
	struct data *d = put->owner;
	struct session *s = d->session;

	came_back(d);
	if (result == 0) {
		put_accepted(s, put);
		put->first_piece = 0; /* the chunks are the message's now */
	} else {
		session_refuse(s, &refusal_no_room, NULL);
	}
	session_reset(s);
	session_resume(s);
}

/* RFC 3848, and RFC 6531 4.3 for mail that needs SMTPUTF8. */
static const char *with_protocol(const struct session *s)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	if (!s->esmtp && !s->envelope.smtputf8)
		return "SMTP";
	return names[s->envelope.smtputf8][session_secured(s)][s->login != NULL];
}

/* RFC 4865 4.2: HOLDFOR counts from when the message is ours. */
static void hold_from(struct envelope_terms *terms, int64_t now_us)
{
	if (terms->hold_for_s > 0)
		terms->release_us = now_us + terms->hold_for_s * CLOCK_SEC;
}

static void trace_fill(struct trace *t, const struct session *s)
{
	const char *tls = session_secured(s) ? stream_tls_description(s->stream) : NULL;

	t->helo = memory_text(s->helo);
	t->client = memory_text(stream_peer(s->stream));
	t->by = memory_text(s->receive->settings->hostname);
	t->with = memory_text(with_protocol(s));
	t->tls = tls != NULL ? memory_text(tls) : NULL;
	/* With more than one, naming any would tell one about the other (RFC 5321 7.2). */
	if (s->envelope.count == 1)
		t->recipient = memory_text(s->envelope.recipients[0].address.text);
	t->priority = s->envelope.terms.priority;
	t->time_us = clock_wall(loop_clock(s->receive->loop));
}

static void facts_fill(struct message_facts *facts, const struct session *s)
{
	const struct dot_decoder *decoder = &s->data->decoder;

	address_copy(&facts->sender, &s->envelope.sender);
	/* 8-bit content that nobody announced is marked, so that it is never sent to a host that
	 * takes 7 bits only. */
	facts->body = decoder->seen_8bit ? BODY_8BITMIME : s->envelope.body;
	facts->terms = s->envelope.terms;
	facts->smtputf8 = s->envelope.smtputf8;
	facts->ret = s->envelope.ret;
	facts->envid = s->envelope.envid != NULL ? memory_text(s->envelope.envid) : NULL;
	facts->login = s->login != NULL ? memory_text(s->login) : NULL;
	facts->size = decoder->written;
	trace_fill(&facts->trace, s);
}

static void data_accept(struct data *d)
{
	struct session *s = d->session;
	const struct receive *receive = s->receive;
	struct put *put = d->put;

	hold_from(&s->envelope.terms, clock_wall(loop_clock(receive->loop)));
	facts_fill(&put->facts, s);
	submission_repair(s, put_header(put), &put->facts.trace);
	record_give(s, &put->dialogue);
	put->reserved = s->reserved;
	s->reserved = 0;
	put->owner = d;
	put->request.home = receive->home;
	put->request.done = put_done;
	receive->store.route(receive->store.context, put, &s->envelope, receive->listener->name);
	outstanding(d);
	receive->store.put(receive->store.context, put);
}

/* Content that does not begin with a field is all body. */
static bool has_large_header(const struct data *d)
{
	struct span header = put_header(d->put);
	struct header_reader r = header_reader(header);
	struct header_field first;

	return header.length >= d->session->receive->listener->max_header_size &&
	       header_next(&r, &first) && first.whole.data == header.data;
}

static void refuse_content(struct session *s, const struct refusal *refusal)
{
	session_refuse(s, refusal, NULL);
	session_reset(s);
}

static void accept_content(struct session *s)
{
	data_accept(s->data);
}

static void data_end(struct data *d)
{
	const struct fault_point point = { .stage = FAULT_DATA,
		                           .again = accept_content,
		                           .refuse = refuse_content };
	struct session *s = d->session;

	record_content(s, d->decoder.written);
	if (d->put->first_piece > 0 && !d->header_done)
		keep_header(d, bytes_span(&d->put->body));
	if (d->fault == NULL && has_large_header(d))
		fault(d, &header_too_big);
	if (d->fault == NULL && trace_count_hops(put_header(d->put)) > TRACE_HOPS_MAX)
		fault(d, &looping);
	if (d->fault != NULL)
		refuse_content(s, d->fault);
	else if (!play_fault(s, &point))
		data_accept(d);
}

/* ---- content as it comes ---------------------------------------------------- */

/* A message whose size nobody said may turn out as large as any. The less of it is here, the more
 * room has to be left for it to go on: when room gets scarce, those that are ahead are finished
 * instead of all of them being refused together, shortly before their end. A small spool is shared
 * by halves. */
static uint64_t spare_room(const struct session *s)
{
	uint64_t most = s->receive->listener->max_message_size;
	uint64_t half = s->receive->settings->spool_max_size / 2;
	uint64_t spare = most < half ? most : half;

	return s->reserved >= LARGE_MIN && s->reserved < spare ? spare - s->reserved : 0;
}

static bool reserve_more(struct session *s, uint64_t size)
{
	const struct receive_store *store = &s->receive->store;

	while (s->reserved < size) {
		if (!store->reserve(store->context, SPOOL_CHUNK_MAX, spare_room(s)))
			return false;
		s->reserved += SPOOL_CHUNK_MAX;
	}
	return true;
}

/* What is wrong with the content so far; in this order, so that the answer does not depend on the
 * pieces in which it came. */
static const struct refusal *content_fault(const struct data *d)
{
	const struct listener_settings *listener = d->session->receive->listener;

	if (d->decoder.written > listener->max_message_size)
		return &refusal_too_big;
	if (d->decoder.seen_nul)
		return &has_nul;
	return d->decoder.seen_bare && listener->reject_bare_newline ? &bare : NULL;
}

static void data_check(struct data *d)
{
	const struct refusal *refusal = content_fault(d);

	if (refusal != NULL)
		fault(d, refusal);
	else if (d->fault == NULL && !reserve_more(d->session, d->decoder.written))
		fault(d, &refusal_no_room);
}

/* Content that is refused already: false when the peer has been patiently listened to. */
static bool data_swallow(struct data *d, size_t length)
{
	struct session *s = d->session;

	bytes_release(&d->put->body);
	d->swallowed += length;
	if (d->swallowed <= s->receive->listener->max_message_size + SWALLOW_MAX)
		return true;
	session_refuse(s, d->fault, NULL);
	session_hang_up(s, "4.7.0", "Too much of it, closing");
	return false;
}

/* What the decoder made of `used` octets is in the put's body. */
static bool data_took(struct data *d, size_t used, bool end)
{
	data_check(d);
	if (d->fault == NULL)
		d->received += used;
	else if (!end && !data_swallow(d, used))
		return false;
	return true;
}

bool data_step(struct session *s)
{
	struct data *d = s->data;
	struct span in = stream_input(s->stream);
	size_t room, used = 0;
	bool end;

	if (d->put->body.length >= d->share) {
		chunk_send(d);
		return true;
	}
	if (in.length == 0)
		return false;
	room = d->share - d->put->body.length;
	in.length = in.length < room ? in.length : room;
	end = dot_decode(&d->decoder, in, &used, &d->put->body);
	stream_consume(s->stream, used);
	s->activity_us = session_now(s);
	if (!data_took(d, used, end))
		return false;
	if (end)
		data_end(d);
	return true;
}

static struct data *data_new(struct session *s, enum session_state reading)
{
	const struct receive *receive = s->receive;
	struct data *d = memory_new(sizeof *d);

	d->session = s;
	d->reading = reading;
	d->started_us = session_now(s);
	d->put = receive->store.put_new(receive->store.context);
	dot_decoder_init(&d->decoder, receive->listener->reject_bare_newline ? DOT_BARE_REJECT
	                                                                     : DOT_BARE_NORMALIZE);
	s->data = d;
	clients_content_begin(receive->clients);
	share_update(d);
	return d;
}

void data_start(struct session *s)
{
	data_new(s, SESSION_DATA);
	session_enter(s, SESSION_DATA);
}

/* ---- content by BDAT (RFC 3030) ----------------------------------------------- */

void bdat_start(struct session *s, uint64_t size, bool last, const struct refusal *refusal)
{
	struct data *d = s->data;

	if (d == NULL) {
		d = data_new(s, SESSION_BDAT);
		d->stray = refusal != NULL;
		d->back = s->state;
	}
	d->left = size;
	d->last = last;
	if (refusal != NULL) {
		d->doomed = true;
		fault(d, refusal);
	}
	session_enter(s, SESSION_BDAT);
}

/* The chunk is here. Only now may be answered, whatever was wrong with it. */
static void bdat_end(struct data *d)
{
	struct session *s = d->session;
	enum session_state back = d->back;

	if (d->stray) {
		session_reply(s, d->fault->code, d->fault->enhanced, d->fault->text);
		data_free(s);
		session_enter(s, back);
	} else if (d->last && d->fault == NULL) {
		dot_decode_counted_end(&d->decoder, &d->put->body);
		data_check(d);
		data_end(d);
	} else if (d->fault != NULL) {
		session_refuse(s, d->fault, NULL);
		session_reset(s);
	} else {
		session_enter(s, SESSION_CHUNKS);
		session_replyf(s, 250, "2.0.0", "%llu octets so far",
		               (unsigned long long)d->decoder.written);
	}
}

bool bdat_step(struct session *s)
{
	struct data *d = s->data;
	struct span in = stream_input(s->stream);
	size_t room;

	if (d->put->body.length >= d->share) {
		chunk_send(d);
		return true;
	}
	if (d->left == 0) {
		bdat_end(d);
		return true;
	}
	if (in.length == 0)
		return false;
	room = d->share - d->put->body.length;
	in.length = in.length < room ? in.length : room;
	in.length = in.length < d->left ? in.length : (size_t)d->left;
	if (!d->doomed)
		dot_decode_counted(&d->decoder, in, &d->put->body);
	stream_consume(s->stream, in.length);
	s->activity_us = session_now(s);
	d->left -= in.length;
	return d->doomed ? data_swallow(d, in.length) : data_took(d, in.length, d->left == 0);
}
