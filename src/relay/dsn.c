/* SPDX-License-Identifier: ISC */
/* dsn.c - writes a multipart/report: for the sender's eyes, for programs, and the original.
 *
 * What a remote host or a sender said stands in it only as printable ASCII on folded lines,
 * so no reply can begin a field, a part or a line of its own. The boundary is chosen after
 * the parts are written, and occurs in none of them.
 */
#include "relay/dsn.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "mail/header.h"
#include "mail/id.h"
#include "mail/xtext.h"

#define FOLD       76  /* columns; RFC 5322 2.1.1 */
#define WORD_MAX   900 /* octets of an unbroken word: RFC 5322's 998 less a field name */
#define LINE_MAX_7 998 /* octets; RFC 5322 2.1.1 */
#define QP_MAX     76  /* columns; RFC 2045 6.7 */

/* ---- text ------------------------------------------------------------------ */

static char printable(unsigned char c)
{
	return c >= 0x20 && c < 0x7f ? (char)c : c == '\n' || c == '\t' ? ' ' : '?';
}

/* Appends words, folded with `indent` before each further line. `column` is where it begins. */
static void append_folded(struct bytes *out, const char *text, size_t column, const char *indent)
{
	while (*text != '\0') {
		size_t word = strcspn(text, " \n\t"), length = word < WORD_MAX ? word : WORD_MAX;

		if (word == 0) {
			text++;
			continue;
		}
		if (column + 1 + length > FOLD) {
			bytes_printf(out, "\r\n%s", indent);
			column = strlen(indent);
		} else {
			bytes_append_char(out, ' ');
			column++;
		}
		for (size_t i = 0; i < length; i++)
			bytes_append_char(out, printable((unsigned char)text[i]));
		column += length;
		text += word;
	}
}

static void append_clean(struct bytes *out, const char *text)
{
	for (size_t i = 0; text[i] != '\0' && i < WORD_MAX; i++)
		bytes_append_char(out, printable((unsigned char)text[i]));
}

/* RFC 6533 3: an address beyond ASCII in a report that stays ASCII. */
static void append_utf8_address(struct bytes *out, const char *address)
{
	struct span rest = span_of_text(address);

	while (rest.length > 0) {
		uint32_t code = 0;
		size_t length = utf8_next(rest, &code);

		if (length == 0)
			bytes_append_char(out, '?');
		else if (code <= 0x20 || code >= 0x7f || strchr("\\+=", (int)code) != NULL)
			bytes_printf(out, "\\x{%02X}", (unsigned)code);
		else
			bytes_append_char(out, (char)code);
		length = length == 0 ? 1 : length;
		rest = span_of(rest.data + length, rest.length - length);
	}
}

static void append_recipient_field(struct bytes *out, const char *name,
                                   const struct address *address)
{
	if (address_is_utf8(address)) {
		bytes_printf(out, "%s: utf-8; ", name);
		append_utf8_address(out, address->text);
	} else {
		bytes_printf(out, "%s: rfc822; ", name);
		append_clean(out, address->text);
	}
	bytes_append_text(out, "\r\n");
}

/* "rfc822;xtext" as the client gave it. What cannot be decoded is left out. */
static void append_orcpt(struct bytes *out, const char *orcpt)
{
	const char *semicolon = orcpt == NULL ? NULL : strchr(orcpt, ';');
	struct bytes decoded = { 0 };

	if (semicolon != NULL && xtext_decode(&decoded, span_of_text(semicolon + 1)) == 0) {
		bytes_append_text(out, "Original-Recipient: ");
		for (const char *at = orcpt; at < semicolon; at++)
			bytes_append_char(out, printable((unsigned char)*at));
		bytes_append_text(out, "; ");
		append_clean(out, bytes_text(&decoded));
		bytes_append_text(out, "\r\n");
	}
	bytes_release(&decoded);
}

/* ---- what happened --------------------------------------------------------- */

/* RFC 3463: what expired says so itself; else what was said, of the class of the reply. */
static void status_of(const struct bounce_failure *f, char out[16])
{
	if (f->report == REPORT_RELAYED && f->reply.enhanced.class != 2)
		(void)snprintf(out, 16, "2.0.0");
	else if (f->report == REPORT_DELAYED && (f->late || f->reply.enhanced.class != 4))
		(void)snprintf(out, 16, "%s", f->late ? "4.4.7" : "4.0.0");
	else if (f->late)
		(void)snprintf(out, 16, "5.4.7"); /* RFC 2852 4.1 */
	else if (f->expired)
		(void)snprintf(out, 16, "4.4.7");
	else if (f->reply.code >= 400 && f->reply.code < 600 &&
	         f->reply.enhanced.class != f->reply.code / 100)
		(void)snprintf(out, 16, "%d.0.0", f->reply.code / 100);
	else
		reply_format_enhanced(&f->reply, out);
}

static void append_days(struct bytes *out, int64_t us)
{
	if (us >= 2 * CLOCK_DAY)
		bytes_printf(out, "%ld days", (long)(us / CLOCK_DAY));
	else if (us >= 2 * CLOCK_HOUR)
		bytes_printf(out, "%ld hours", (long)(us / CLOCK_HOUR));
	else
		bytes_printf(out, "%ld minutes", (long)(us / CLOCK_MIN));
}

static void append_failure_text(const struct dsn *dsn, const struct bounce_failure *f,
                                struct bytes *out)
{
	struct bytes reply = { 0 };

	bytes_append_char(out, '<');
	if (address_is_utf8(&f->to.address))
		append_utf8_address(out, f->to.address.text);
	else
		append_clean(out, f->to.address.text);
	bytes_append_text(out, ">\r\n");
	if (f->late) {
		bytes_append_text(out,
		                  "    It could not be delivered by the time that you gave.\r\n");
	} else if (f->report == REPORT_DELAYED) {
		bytes_append_text(out, "    It has been tried for ");
		append_days(out, dsn->now_us - dsn->arrived_us);
		bytes_append_text(out, ".\r\n");
	} else if (f->expired) {
		bytes_append_text(out, "    It was tried for ");
		append_days(out, dsn->now_us - dsn->arrived_us);
		bytes_append_text(out, " without success; no more attempts will be made.\r\n");
	}
	reply_format(&f->reply, &reply);
	if (f->reply.code != 0) {
		bytes_append_text(out, "   ");
		if (f->remote != NULL) {
			bytes_append_char(out, ' ');
			append_clean(out, f->remote);
			bytes_append_text(out, f->expired ? " said last:" : " said:");
			bytes_append_text(out, "\r\n   ");
		}
		append_folded(out, bytes_text(&reply), 3, "    ");
		bytes_append_text(out, "\r\n");
	}
	bytes_append_text(out, "\r\n");
	bytes_release(&reply);
}

static size_t count_of(const struct dsn *dsn, enum report_kind report)
{
	size_t count = 0;

	for (size_t i = 0; i < dsn->count; i++)
		count += dsn->failures[i].report == report;
	return count;
}

/* The recipients of one kind, behind what it means. */
static void append_kind(const struct dsn *dsn, enum report_kind report, const char *meaning,
                        struct bytes *out)
{
	if (count_of(dsn, report) == 0)
		return;
	bytes_append_text(out, meaning);
	for (size_t i = 0; i < dsn->count; i++)
		if (dsn->failures[i].report == report)
			append_failure_text(dsn, &dsn->failures[i], out);
}

static void append_text_part(const struct dsn *dsn, struct bytes *out)
{
	bytes_append_text(out, "Content-Type: text/plain; charset=us-ascii\r\n"
	                       "Content-Description: Notification\r\n\r\n"
	                       "This is the mail relay at ");
	append_clean(out, dsn->hostname);
	bytes_append_text(out, ".\r\n\r\n");
	append_kind(dsn, REPORT_FAILED,
	            "Your message could not be delivered to the recipients below.\r\n"
	            "This is a permanent error; it will not be tried again.\r\n\r\n",
	            out);
	append_kind(dsn, REPORT_DELAYED,
	            "Your message could not yet be delivered to the recipients below.\r\n"
	            "It is still being tried; you do not have to send it again.\r\n\r\n",
	            out);
	append_kind(dsn, REPORT_RELAYED,
	            "Your message was handed on for the recipients below, to a server that\r\n"
	            "does not confirm delivery. Unless it fails there, this is all that you\r\n"
	            "will hear of it.\r\n\r\n",
	            out);
	bytes_append_text(out, dsn->full ? "The message is attached.\r\n"
	                                 : "The header of the message is attached.\r\n");
}

static const char *const actions[] = {
	[REPORT_FAILED] = "failed", [REPORT_DELAYED] = "delayed", [REPORT_RELAYED] = "relayed"
};

static void append_failure_fields(const struct bounce_failure *f, struct bytes *out)
{
	struct bytes reply = { 0 };
	char status[16], date[CLOCK_DATE_MAX];

	bytes_append_text(out, "\r\n");
	append_orcpt(out, f->to.orcpt);
	append_recipient_field(out, "Final-Recipient", &f->to.address);
	status_of(f, status);
	bytes_printf(out, "Action: %s\r\nStatus: %s\r\n", actions[f->report], status);
	if (f->remote != NULL && !f->reply.local && f->reply.code != 0) {
		bytes_append_text(out, "Remote-MTA: dns; ");
		append_clean(out, f->remote);
		bytes_append_text(out, "\r\nDiagnostic-Code: smtp;");
		reply_format(&f->reply, &reply);
		append_folded(out, bytes_text(&reply), 22, "    ");
		bytes_append_text(out, "\r\n");
	}
	bytes_release(&reply);
	clock_format_rfc5322(f->until_us, date);
	if (f->report == REPORT_DELAYED && f->until_us > 0)
		bytes_printf(out, "Will-Retry-Until: %s\r\n", date);
}

/* RFC 4865 5.1.2, RFC 2852 5 */
static void append_terms(const struct envelope_terms *terms, struct bytes *out)
{
	char date[CLOCK_DATE_MAX];

	clock_format_rfc3339(terms->release_us, date);
	if (terms->hold_for_s > 0)
		bytes_printf(out, "Future-Release-Request: for;%u\r\n",
		             (unsigned)terms->hold_for_s);
	else if (terms->release_us > 0)
		bytes_printf(out, "Future-Release-Request: until;%.19sZ\r\n", date);
	clock_format_rfc5322(terms->by_us, date);
	if (terms->by_mode != BY_NONE)
		bytes_printf(out, "Deliver-By-Date: %s\r\n", date);
}

static void append_status_part(const struct dsn *dsn, struct bytes *out)
{
	struct bytes envid = { 0 };
	char date[CLOCK_DATE_MAX];

	bytes_append_text(out, "Content-Type: message/delivery-status\r\n"
	                       "Content-Description: Delivery report\r\n\r\n");
	if (dsn->envid != NULL && xtext_decode(&envid, span_of_text(dsn->envid)) == 0) {
		bytes_append_text(out, "Original-Envelope-Id: ");
		append_clean(out, bytes_text(&envid));
		bytes_append_text(out, "\r\n");
	}
	bytes_release(&envid);
	bytes_append_text(out, "Reporting-MTA: dns; ");
	append_clean(out, dsn->hostname);
	clock_format_rfc5322(dsn->arrived_us, date);
	bytes_printf(out, "\r\nArrival-Date: %s\r\n", date);
	append_terms(&dsn->terms, out);
	for (size_t i = 0; i < dsn->count; i++)
		append_failure_fields(&dsn->failures[i], out);
}

/* ---- the original ---------------------------------------------------------- */

bool dsn_is_plain(struct span content)
{
	size_t line = 0;

	for (size_t i = 0; i < content.length; i++) {
		if (content.data[i] == '\n')
			line = 0;
		else if (content.data[i] == 0 || content.data[i] >= 0x80 ||
		         ++line > LINE_MAX_7 + 1) /* with the CR */
			return false;
	}
	return true;
}

static bool qp_literal(unsigned char c, bool last_of_line)
{
	return (c >= '!' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !last_of_line);
}

/* RFC 2045 6.7. */
static void append_quoted_printable(struct bytes *out, struct span text)
{
	size_t column = 0;

	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = text.data[i];
		bool last =
			i + 2 < text.length && text.data[i + 1] == '\r' && text.data[i + 2] == '\n';
		bool literal = qp_literal(c, last);

		if (c == '\r' && i + 1 < text.length && text.data[i + 1] == '\n') {
			bytes_append_text(out, "\r\n");
			column = 0;
			i++;
			continue;
		}
		if (column + (literal ? 1 : 3) > QP_MAX - 1) {
			bytes_append_text(out, "=\r\n");
			column = 0;
		}
		if (literal)
			bytes_append_char(out, (char)c);
		else
			bytes_printf(out, "=%02X", c);
		column += literal ? 1 : 3;
	}
}

static void append_original_part(const struct dsn *dsn, struct bytes *out)
{
	bool plain = dsn_is_plain(dsn->original);

	bytes_append_text(out, dsn->full ? "Content-Type: message/rfc822\r\n"
	                                 : "Content-Type: text/rfc822-headers\r\n");
	bytes_printf(out, "Content-Description: %s\r\n",
	             count_of(dsn, REPORT_FAILED) > 0 ? "Undelivered message" : "Message");
	if (!plain)
		bytes_append_text(out, "Content-Transfer-Encoding: quoted-printable\r\n");
	bytes_append_text(out, "\r\n");
	if (plain)
		bytes_append_span(out, dsn->original);
	else
		append_quoted_printable(out, dsn->original);
}

/* ---- the whole ------------------------------------------------------------- */

enum { PARTS = 3 };

static void choose_boundary(const struct dsn *dsn, const struct bytes parts[PARTS], char out[64])
{
	char id[ID_TEXT_SIZE];
	bool found = true;

	id_format(dsn->id, id);
	for (unsigned k = 0; found; k++) {
		(void)snprintf(out, 64, "=_%s.%u.%u", id, dsn->n, k);
		found = false;
		for (size_t i = 0; i < PARTS; i++)
			found = found ||
			        memmem(parts[i].data, parts[i].length, out, strlen(out)) != NULL;
	}
}

/* What the report is about: the worst of it. */
static enum report_kind kind_of(const struct dsn *dsn)
{
	if (count_of(dsn, REPORT_FAILED) > 0)
		return REPORT_FAILED;
	return count_of(dsn, REPORT_DELAYED) > 0 ? REPORT_DELAYED : REPORT_RELAYED;
}

/* A failure is reported once; of delays, and of relaying part after part, there can be more. */
static void append_message_id(const struct dsn *dsn, struct bytes *out)
{
	enum report_kind kind = kind_of(dsn);
	char id[ID_TEXT_SIZE];

	id_format(dsn->id, id);
	bytes_printf(out, "Message-ID: <%s.%u.%s", id, dsn->n, actions[kind]);
	if (kind != REPORT_FAILED)
		bytes_printf(out, ".%lld", (long long)(dsn->now_us / CLOCK_MS));
	bytes_append_char(out, '@');
	append_clean(out, dsn->hostname);
	bytes_append_text(out, ">\r\n");
}

static void append_header(const struct dsn *dsn, const char *boundary, struct bytes *out)
{
	static const char *const subjects[] = {
		[REPORT_FAILED] = "Undelivered mail returned to sender",
		[REPORT_DELAYED] = "Mail is delayed and still being tried",
		[REPORT_RELAYED] = "Mail was handed on",
	};
	char date[CLOCK_DATE_MAX];

	clock_format_rfc5322(dsn->now_us, date);
	bytes_append_text(out, "From: Mail Delivery System <");
	append_clean(out, dsn->from);
	bytes_append_text(out, ">\r\nTo: ");
	if (address_is_utf8(dsn->to))
		bytes_append_text(out, "undisclosed-recipients:;");
	else
		append_clean(out, dsn->to->text);
	bytes_printf(out, "\r\nSubject: %s\r\nDate: %s\r\n", subjects[kind_of(dsn)], date);
	append_message_id(dsn, out);
	bytes_printf(out,
	             "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	             "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	             "\tboundary=\"%s\"\r\n\r\n"
	             "This is a delivery report in MIME format.\r\n",
	             boundary);
}

void dsn_format(const struct dsn *dsn, struct bytes *out)
{
	struct bytes parts[PARTS] = { { 0 } };
	char boundary[64];

	append_text_part(dsn, &parts[0]);
	append_status_part(dsn, &parts[1]);
	append_original_part(dsn, &parts[2]);
	choose_boundary(dsn, parts, boundary);
	append_header(dsn, boundary, out);
	for (size_t i = 0; i < PARTS; i++) {
		bytes_printf(out, "\r\n--%s\r\n", boundary);
		bytes_append_span(out, bytes_span(&parts[i]));
		bytes_release(&parts[i]);
	}
	bytes_printf(out, "\r\n--%s--\r\n", boundary);
}
