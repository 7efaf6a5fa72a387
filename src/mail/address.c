/* SPDX-License-Identifier: ISC */
/* address.c - parsing mailboxes and paths, strictly by RFC 5321 4.1.2 and RFC 6531 3.3.
 *
 * Strict, because what is accepted here is written on the wire to the next host and into
 * logs, headers and records: whatever passes has no control character, no space
 * outside quotes and one meaning. The parser moves forward only.
 */
#include "mail/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

#define LABEL_MAX 63 /* octets, RFC 1035 2.3.4 */

struct scan {
	struct span rest;
	bool utf8;
	const char *error; /* the first thing that was wrong */
};

static int fail(struct scan *s, const char *error)
{
	if (s->error == NULL)
		s->error = error;
	return -1;
}

static bool next_is(const struct scan *s, char c)
{
	return s->rest.length > 0 && s->rest.data[0] == (unsigned char)c;
}

static void skip(struct scan *s, size_t length)
{
	s->rest = span_of(s->rest.data + length, s->rest.length - length);
}

/* The length of the non-ASCII character that comes next, 0 when there is none or it may not be
 * used; C1 controls are never good. */
static size_t next_wide(struct scan *s)
{
	uint32_t code = 0;
	size_t length;

	if (s->rest.length == 0 || s->rest.data[0] < 0x80)
		return 0;
	length = utf8_next(s->rest, &code);
	if (!s->utf8)
		fail(s, "address has octets above 127 without SMTPUTF8");
	else if (length == 0)
		fail(s, "address is not valid UTF-8");
	else if (code < 0xa0)
		fail(s, "address has a control character");
	return s->error == NULL ? length : 0;
}

static bool is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_atext(unsigned char c)
{
	return is_alnum(c) || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Skips characters for which `is` holds, and UTF-8 where it is allowed. Returns the octets. */
static size_t skip_run(struct scan *s, bool (*is)(unsigned char c))
{
	size_t before = s->rest.length;

	for (;;) {
		size_t length = s->rest.length > 0 && is(s->rest.data[0]) ? 1 : next_wide(s);

		if (length == 0)
			return before - s->rest.length;
		skip(s, length);
	}
}

static int scan_dot_string(struct scan *s)
{
	for (;;) {
		if (skip_run(s, is_atext) == 0)
			return fail(s, "local part is not valid");
		if (!next_is(s, '.'))
			return 0;
		skip(s, 1);
	}
}

static bool is_printable(unsigned char c)
{
	return c >= ' ' && c <= '~';
}

static bool is_qtext(unsigned char c)
{
	return is_printable(c) && c != '"' && c != '\\';
}

static int scan_quoted_string(struct scan *s)
{
	skip(s, 1);
	for (;;) {
		skip_run(s, is_qtext);
		if (next_is(s, '"')) {
			skip(s, 1);
			return 0;
		}
		if (!next_is(s, '\\') || s->rest.length < 2 || !is_printable(s->rest.data[1]))
			return fail(s, "quoted local part is not valid");
		skip(s, 2);
	}
}

static int scan_local(struct scan *s)
{
	size_t before = s->rest.length;
	int result = next_is(s, '"') ? scan_quoted_string(s) : scan_dot_string(s);

	if (result == 0 && before - s->rest.length > ADDRESS_LOCAL_MAX)
		return fail(s, "local part is longer than 64 octets");
	return result;
}

/* RFC 5321 has no underscore, but the names of containers and Windows hosts do, and their programs
 * send as root@my_app: Postfix and the providers take it too. */
static bool is_let_dig_hyphen(unsigned char c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

static int scan_label(struct scan *s)
{
	const unsigned char *start = s->rest.data;
	size_t length = skip_run(s, is_let_dig_hyphen);

	if (length == 0 || start[0] == '-' || start[length - 1] == '-')
		return fail(s, "domain is not valid");
	if (length > LABEL_MAX)
		return fail(s, "domain has a label longer than 63 octets");
	return 0;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"; no other tag is registered. */
static int scan_literal(struct scan *s)
{
	const unsigned char *close = memchr(s->rest.data, ']', s->rest.length);
	char text[INET6_ADDRSTRLEN];
	unsigned char binary[16];
	struct span inside;
	int family = AF_INET;

	if (close == NULL)
		return fail(s, "address literal is not closed");
	inside = span_of(s->rest.data + 1, (size_t)(close - s->rest.data) - 1);
	skip(s, inside.length + 2);
	if (span_starts_nocase(inside, "IPv6:")) {
		family = AF_INET6;
		inside = span_of(inside.data + 5, inside.length - 5);
	}
	if (inside.length >= sizeof(text) || memchr(inside.data, 0, inside.length) != NULL)
		return fail(s, "address literal is not valid");
	memcpy(text, inside.data, inside.length);
	text[inside.length] = '\0';
	if (inet_pton(family, text, binary) != 1)
		return fail(s, "address literal is not valid");
	return 0;
}

static int scan_name(struct scan *s)
{
	for (;;) {
		if (scan_label(s) != 0)
			return -1;
		if (!next_is(s, '.'))
			return 0;
		skip(s, 1);
	}
}

static int scan_domain(struct scan *s)
{
	size_t before = s->rest.length;
	int result = next_is(s, '[') ? scan_literal(s) : scan_name(s);

	if (result == 0 && before - s->rest.length > ADDRESS_DOMAIN_MAX)
		return fail(s, "domain is longer than 255 octets");
	return result;
}

/* "@one,@two:" before the mailbox: RFC 5321 appendix C has it accepted and ignored. */
static int scan_source_route(struct scan *s)
{
	while (next_is(s, '@')) {
		skip(s, 1);
		if (scan_domain(s) != 0)
			return -1;
		if (next_is(s, ':')) {
			skip(s, 1);
			return 0;
		}
		if (!next_is(s, ','))
			break;
		skip(s, 1);
	}
	return fail(s, "source route is not valid");
}

static bool may_be_unqualified(struct span local, unsigned flags)
{
	return (flags & ADDRESS_UNQUALIFIED) != 0 ||
	       span_equal_nocase(local, span_of_text("postmaster"));
}

/* Scans "local@domain" or, where that is allowed, "local"; *mailbox_r is its text. */
static int scan_mailbox(struct scan *s, unsigned flags, struct span *mailbox_r, size_t *local_r)
{
	const unsigned char *start = s->rest.data;

	if (scan_local(s) != 0)
		return -1;
	*local_r = (size_t)(s->rest.data - start);
	if (next_is(s, '@')) {
		skip(s, 1);
		if (scan_domain(s) != 0)
			return -1;
	} else if (!may_be_unqualified(span_of(start, *local_r), flags)) {
		return fail(s, "address has no domain");
	}
	*mailbox_r = span_of(start, (size_t)(s->rest.data - start));
	if (mailbox_r->length + 2 > ADDRESS_PATH_MAX)
		return fail(s, "address is longer than 254 octets");
	return 0;
}

static void set(struct address *addr, struct span mailbox, size_t local)
{
	addr->text = memory_text_of(mailbox.data, mailbox.length);
	addr->local_length = local;
}

/* Behind the '<'. */
static int scan_path(struct scan *s, unsigned flags, struct span *mailbox_r, size_t *local_r)
{
	*mailbox_r = span_of(NULL, 0);
	*local_r = 0;
	if (next_is(s, '>'))
		return (flags & ADDRESS_NULL) != 0 ? 0 : fail(s, "address is empty");
	if (next_is(s, '@')) {
		if (scan_source_route(s) != 0)
			return -1;
		flags &= ~(unsigned)ADDRESS_UNQUALIFIED;
	}
	return scan_mailbox(s, flags, mailbox_r, local_r);
}

int address_parse_path(struct address *addr_r, struct span text, unsigned flags, size_t *used_r,
                       const char **error_r)
{
	struct scan s = { .rest = text, .utf8 = (flags & ADDRESS_UTF8) != 0 };
	struct span mailbox;
	size_t local;

	if (!next_is(&s, '<')) {
		*error_r = "address is not in angle brackets";
		return -1;
	}
	skip(&s, 1);
	if (scan_path(&s, flags, &mailbox, &local) == 0 && !next_is(&s, '>'))
		fail(&s, "address is not valid or not closed by '>'");
	if (s.error != NULL) {
		*error_r = s.error;
		return -1;
	}
	*used_r = text.length - s.rest.length + 1;
	set(addr_r, mailbox, local);
	return 0;
}

int address_parse(struct address *addr_r, struct span text, unsigned flags, const char **error_r)
{
	struct scan s = { .rest = text, .utf8 = (flags & ADDRESS_UTF8) != 0 };
	struct span mailbox = span_of(NULL, 0);
	size_t local = 0;

	if (text.length == 0) {
		if ((flags & ADDRESS_NULL) == 0)
			fail(&s, "address is empty");
	} else if (scan_mailbox(&s, flags, &mailbox, &local) == 0 && s.rest.length > 0) {
		fail(&s, "address is not valid");
	}
	if (s.error != NULL) {
		*error_r = s.error;
		return -1;
	}
	set(addr_r, mailbox, local);
	return 0;
}

void address_release(struct address *addr)
{
	free(addr->text);
	*addr = (struct address){ 0 };
}

void address_copy(struct address *to, const struct address *from)
{
	to->text = memory_text(from->text == NULL ? "" : from->text);
	to->local_length = from->local_length;
}

void address_qualify(struct address *addr, const char *domain)
{
	struct bytes text = { 0 };

	if (address_is_null(addr) || address_domain(addr).length > 0)
		return;
	bytes_printf(&text, "%s@%s", addr->text, domain);
	free(addr->text);
	addr->text = memory_text(bytes_text(&text));
	bytes_release(&text);
}

bool address_is_null(const struct address *addr)
{
	return addr->text == NULL || addr->text[0] == '\0';
}

bool address_is_utf8(const struct address *addr)
{
	return !utf8_is_ascii(span_of_text(addr->text));
}

struct span address_local(const struct address *addr)
{
	return span_of(addr->text, addr->local_length);
}

struct span address_domain(const struct address *addr)
{
	struct span text = span_of_text(addr->text);

	if (text.length <= addr->local_length)
		return span_of(NULL, 0);
	return span_of(text.data + addr->local_length + 1, text.length - addr->local_length - 1);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Only the last '*' is ever tried again, as an earlier one cannot do better: at most
 * length times length steps. */
bool address_matches(const struct address *addr, const char *pattern)
{
	const char *text = addr->text == NULL ? "" : addr->text;
	const char *star = NULL; /* behind the last '*' ... */
	const char *from = NULL; /* ... and where in the text it was tried */

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (lower(*pattern) == lower(*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool domain_is_valid(struct span domain)
{
	struct scan s = { .rest = domain };

	return domain.length > 0 && scan_domain(&s) == 0 && s.rest.length == 0;
}
