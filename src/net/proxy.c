/* SPDX-License-Identifier: ISC */
/* proxy.c - reads one PROXY header, strictly: a sender that is off by an octet is not a proxy.
 *
 * An address that is not TCP over IPv4 or IPv6 is "unknown", never "unix:...", because a local
 * client of the proxy is no local client of ours.
 */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

#define V2_FIXED 16 /* octets: signature, version and command, family, length */

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };

static enum proxy_result bad(const char **error_r, const char *why)
{
	*error_r = why;
	return PROXY_BAD;
}

static void set_unknown(struct proxy_header *h)
{
	snprintf(h->address, sizeof h->address, "unknown");
	h->port[0] = '\0';
}

/* An IPv4 address in IPv6 clothes is the IPv4 address, as everywhere. */
static void set_address(struct proxy_header *h, int family, const unsigned char *address)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET6 && memcmp(address, mapped, sizeof mapped) == 0) {
		family = AF_INET;
		address += sizeof mapped;
	}
	inet_ntop(family, address, h->address, sizeof h->address);
}

/* ---- version 1 ----------------------------------------------------------- */

/* The next word of a line whose words are parted by exactly one space; "" if there is none. */
static void word(char *out, size_t size, struct span *line)
{
	const unsigned char *space = memchr(line->data, ' ', line->length);
	size_t length = space != NULL ? (size_t)(space - line->data) : line->length;
	/* A space at the end stays, which makes the line malformed. */
	size_t used = length + 1 < line->length ? length + 1 : length;

	if (length >= size)
		length = 0;
	memcpy(out, line->data, length);
	out[length] = '\0';
	*line = span_of(line->data + used, line->length - used);
}

static bool port_is_valid(const char *text)
{
	unsigned value = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 5; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	return i > 0 && text[i] == '\0' && value <= 65535 && (text[0] != '0' || i == 1);
}

/* "TCP4 SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT" */
static bool v1_addresses(struct proxy_header *h, int family, struct span line)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], from_port[6], to_port[6];
	unsigned char source[16], destination[16];

	word(from, sizeof from, &line);
	word(to, sizeof to, &line);
	word(from_port, sizeof from_port, &line);
	word(to_port, sizeof to_port, &line);
	if (line.length > 0 || inet_pton(family, from, source) != 1 ||
	    inet_pton(family, to, destination) != 1 || !port_is_valid(from_port) ||
	    !port_is_valid(to_port))
		return false;
	set_address(h, family, source);
	memcpy(h->port, from_port, sizeof from_port);
	return true;
}

static enum proxy_result v1_parse(struct proxy_header *h, struct span input, const char **error_r)
{
	size_t most = input.length < PROXY_V1_MAX ? input.length : PROXY_V1_MAX;
	const unsigned char *lf = memchr(input.data, '\n', most);
	char family[8];
	struct span line;

	if (lf == NULL)
		return most < PROXY_V1_MAX ? PROXY_PARTIAL : bad(error_r, "PROXY line too long");
	h->length = (size_t)(lf - input.data) + 1;
	if (h->length < 8 || lf[-1] != '\r' || memchr(input.data, '\0', h->length) != NULL)
		return bad(error_r, "PROXY line malformed");
	line = span_of(input.data + 6, h->length - 8);
	word(family, sizeof family, &line);
	if (strcmp(family, "UNKNOWN") == 0)
		set_unknown(h); /* whatever else the line says is to be ignored */
	else if (!(strcmp(family, "TCP4") == 0 && v1_addresses(h, AF_INET, line)) &&
	         !(strcmp(family, "TCP6") == 0 && v1_addresses(h, AF_INET6, line)))
		return bad(error_r, "PROXY line malformed");
	return PROXY_DONE;
}

/* ---- version 2 ----------------------------------------------------------- */

static enum proxy_result v2_addresses(struct proxy_header *h, unsigned family,
                                      const unsigned char *body, size_t length,
                                      const char **error_r)
{
	bool tcp6 = family == V2_TCP6;
	size_t ports = tcp6 ? 32 : 8;

	if (family == V2_UNSPEC || family == V2_UNIX) {
		set_unknown(h);
		return PROXY_DONE;
	}
	if (family != V2_TCP4 && !tcp6)
		return bad(error_r, "PROXY header of an unknown family");
	if (length < ports + 4)
		return bad(error_r, "PROXY header too short for its addresses");
	set_address(h, tcp6 ? AF_INET6 : AF_INET, body);
	snprintf(h->port, sizeof h->port, "%u", (unsigned)be16_load(body + ports));
	return PROXY_DONE;
}

static enum proxy_result v2_parse(struct proxy_header *h, struct span input, const char **error_r)
{
	if (input.length < V2_FIXED)
		return PROXY_PARTIAL;
	h->length = V2_FIXED + (size_t)be16_load(input.data + 14);
	if (h->length > PROXY_V2_MAX)
		return bad(error_r, "PROXY header too long");
	if (input.data[12] != V2_LOCAL && input.data[12] != V2_PROXY)
		return bad(error_r, "PROXY header of an unknown version or command");
	if (input.length < h->length)
		return PROXY_PARTIAL;
	h->local = input.data[12] == V2_LOCAL;
	if (h->local)
		return PROXY_DONE;
	return v2_addresses(h, input.data[13], input.data + V2_FIXED, h->length - V2_FIXED,
	                    error_r);
}

static bool begins(struct span input, const void *with, size_t length)
{
	return memcmp(input.data, with, input.length < length ? input.length : length) == 0;
}

enum proxy_result proxy_parse(struct proxy_header *header_r, struct span input,
                              const char **error_r)
{
	memset(header_r, 0, sizeof *header_r);
	if (input.length == 0)
		return PROXY_PARTIAL;
	if (begins(input, "PROXY ", 6))
		return input.length < 6 ? PROXY_PARTIAL : v1_parse(header_r, input, error_r);
	if (begins(input, signature, sizeof signature))
		return v2_parse(header_r, input, error_r);
	return bad(error_r, "no PROXY header");
}
