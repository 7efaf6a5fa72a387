/* SPDX-License-Identifier: ISC */
/* bdat.c - the BDAT command (RFC 3030 2): how many octets follow, and whether they are welcome.
 *
 * The octets behind the command are never taken for commands: what is refused is swallowed first
 * and answered then, and where their number cannot be known the session ends. The content itself is
 * data.c's.
 */
#include "receive/private.h"

/* No message has as many octets, and a sum of two still fits. */
#define SIZE_DIGITS_MAX 18

static const struct refusal sequence = { 503, "5.5.1", "Say MAIL and RCPT first" };
static const struct refusal no_recipients = { 554, "5.5.1", "No valid recipients" };
static const struct refusal no_greeting = { 503, "5.5.1", "Say EHLO first" };
static const struct refusal no_tls = { 530, "5.7.0", "Say STARTTLS first" };
static const struct refusal no_marker = { 501, "5.5.4", "LAST is all that may follow the size" };

static bool size_parse(uint64_t *size_r, struct span text)
{
	size_t i;

	*size_r = 0;
	for (i = 0; i < text.length && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		*size_r = *size_r * 10 + (text.data[i] - (unsigned)'0');
	return i > 0 && i == text.length && i <= SIZE_DIGITS_MAX;
}

/* Why the chunk cannot be content; NULL: it is. */
static const struct refusal *refusal_of(const struct session *s, bool marker_good)
{
	bool required = s->receive->listener->tls == LISTENER_TLS_REQUIRED;

	if (required && !session_secured(s))
		return &no_tls;
	if (s->helo == NULL)
		return &no_greeting;
	if (s->state == SESSION_READY)
		return &sequence;
	if (s->envelope.count == 0)
		return &no_recipients;
	return marker_good ? NULL : &no_marker;
}

void verb_bdat(struct session *s, struct span line)
{
	bool spaced = line.length > 0 && line.data[0] == ' ', last, marked;
	struct span rest = line, size_text = span_word(&rest), marker = span_word(&rest);
	uint64_t size;

	if (!spaced || !size_parse(&size, size_text)) {
		session_reply(s, 501, "5.5.4", "BDAT needs the number of octets that follow");
		session_hang_up(s, "4.7.0", "Lost count of the octets, closing");
		return;
	}
	last = span_equal_nocase(marker, span_of_text("LAST"));
	marked = (last || marker.length == 0) && rest.length == 0;
	if (size < CHUNK_SMALL && !last)
		session_junk(s);
	bdat_start(s, size, last, refusal_of(s, marked));
}
