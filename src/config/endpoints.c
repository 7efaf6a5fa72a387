/* SPDX-License-Identifier: ISC */
/* endpoints.c - where mail comes from and goes to, as text: listen addresses, networks,
 * provider URLs.
 *
 * Only the form is decided here; whether a combination is allowed is check.c's.
 * A target is zeroed or filled before; on failure it is left as it was.
 */
#include "config/values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/memory.h"
#include "config/private.h"

#define HOST_MAX 255 /* octets; RFC 1035 3.1 */

void text_set(char **field, char *text)
{
	free(*field);
	*field = text;
}

/* --- networks --- */

/* ::ffff:a.b.c.d is a.b.c.d, however the socket came to say it. */
static const unsigned char mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool network_bits_equal(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned char mask = (unsigned char)(0xff00u >> (bits % 8));

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

static void network_unmap(struct network *net)
{
	if (net->family != AF_INET6 || net->prefix < 96 ||
	    memcmp(net->address, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	net->family = AF_INET;
	net->prefix -= 96;
	memmove(net->address, net->address + 12, 4);
	memset(net->address + 4, 0, 12);
}

static bool network_is_clean(const struct network *net)
{
	for (unsigned bit = net->prefix; bit < (net->family == AF_INET ? 32u : 128u); bit++) {
		if (net->address[bit / 8] & (0x80u >> (bit % 8)))
			return false;
	}
	return true;
}

static int network_read(struct network *net, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	uint64_t prefix;
	unsigned most;

	if (length >= sizeof(address))
		return -1;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, net->address) == 1)
		net->family = AF_INET;
	else if (inet_pton(AF_INET6, address, net->address) == 1)
		net->family = AF_INET6;
	else
		return -1;
	most = net->family == AF_INET ? 32 : 128;
	prefix = most;
	text += length;
	if (*text == '/') {
		text++;
		if (number_read(&prefix, &text) != 0)
			return -1;
	}
	net->prefix = (unsigned)prefix;
	return *text == '\0' && prefix <= most ? 0 : -1;
}

int network_parse(struct network *net_r, const char *text, const char **error_r)
{
	struct network net = { 0 };

	if (network_read(&net, text) != 0) {
		*error_r = "write an address or a network such as \"127.0.0.0/8\", \"::1\" or "
			   "\"fd00::/8\"";
		return -1;
	}
	if (!network_is_clean(&net)) {
		*error_r = "the address has bits beyond the prefix: shorten it "
			   "(\"10.0.0.0/8\", not \"10.1.2.3/8\") or lengthen the prefix";
		return -1;
	}
	network_unmap(&net);
	*net_r = net;
	return 0;
}

void network_format(const struct network *net, struct bytes *out)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(net->family, net->address, text, sizeof(text)) == NULL)
		return;
	bytes_append_text(out, text);
	if (net->prefix < (net->family == AF_INET ? 32u : 128u))
		bytes_printf(out, "/%u", net->prefix);
}

bool network_contains(const struct network *net, int family, const unsigned char *address)
{
	if (family == AF_INET6 && memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		family = AF_INET;
		address += sizeof(mapped_prefix);
	}
	return net->family == family && network_bits_equal(net->address, address, net->prefix);
}

/* --- hosts and ports --- */

static bool host_is_name(const char *host)
{
	size_t length = strlen(host);
	bool digits_only = true;

	if (length == 0 || length > HOST_MAX || host[0] == '.' || host[0] == '-' ||
	    strstr(host, "..") != NULL)
		return false;
	for (const char *p = host; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr(".-_", *p) == NULL)
			return false;
		if (!isdigit((unsigned char)*p) && *p != '.')
			digits_only = false;
	}
	return !digits_only; /* digits and dots must be an IPv4 address, checked before */
}

static bool host_is_valid(const char *host, bool bracketed)
{
	unsigned char address[16];

	if (bracketed)
		return inet_pton(AF_INET6, host, address) == 1;
	return inet_pton(AF_INET, host, address) == 1 || host_is_name(host);
}

/* HOST:PORT, [IPv6]:PORT; without a port *port_r stays. Returns the host, or NULL. */
static char *host_port_read(const char *text, uint16_t *port_r, bool *has_port_r)
{
	bool bracketed = *text == '[';
	const char *end = text + (bracketed ? strcspn(text, "]") : strcspn(text, ":"));
	char *host;
	uint64_t port;

	if (bracketed && *end != ']')
		return NULL;
	host = memory_text_of(text + bracketed, (size_t)(end - text) - bracketed);
	end += bracketed;
	*has_port_r = *end == ':';
	if (*has_port_r) {
		end++;
		if (number_read(&port, &end) != 0 || port > UINT16_MAX)
			goto bad;
		*port_r = (uint16_t)port;
	}
	if (*end == '\0' && host_is_valid(host, bracketed))
		return host;
bad:
	free(host);
	return NULL;
}

bool host_is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return (ntohl(four.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* --- listeners --- */

static int listen_parse_unix(struct listener_settings *l, const char *text, const char **error_r)
{
	const char *path = text + strlen("unix:");

	if (*path != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		*error_r = "write a Unix socket as \"unix:/absolute/path\", at most 107 bytes";
		return -1;
	}
	text_set(&l->address, memory_text(path));
	l->is_unix = true;
	l->port = 0;
	return 0;
}

static int listen_parse_tcp(struct listener_settings *l, const char *text, const char **error_r)
{
	uint16_t port = 0;
	bool has_port;
	char *host = host_port_read(text, &port, &has_port);

	if (host == NULL || !has_port) {
		free(host);
		*error_r = "write an address and a port such as \"127.0.0.1:25\", \"[::1]:25\" or "
			   "\"localhost:25\", or \"unix:/path\"";
		return -1;
	}
	text_set(&l->address, host);
	l->is_unix = false;
	l->port = port;
	return 0;
}

int listen_parse(struct listener_settings *l, const char *text, const char **error_r)
{
	char *name = memory_text(text);
	int rc = strncmp(text, "unix:", 5) == 0 ? listen_parse_unix(l, name, error_r)
	                                        : listen_parse_tcp(l, name, error_r);

	if (rc != 0) {
		free(name);
		return -1;
	}
	text_set(&l->name, name);
	return 0;
}

/* --- provider URLs --- */

struct scheme {
	const char *prefix;
	enum provider_tls tls;
	uint16_t port;
};

static const struct scheme schemes[] = {
	{ "smtp://", PROVIDER_TLS_OPPORTUNISTIC, 25 },
	{ "smtp+tls://", PROVIDER_TLS_STARTTLS, 25 },
	{ "smtps://", PROVIDER_TLS_IMPLICIT, 465 },
	{ "smtp+notls://", PROVIDER_TLS_NEVER, 25 },
};
#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static const struct scheme *scheme_find(const char *text)
{
	for (size_t i = 0; i < SCHEMES; i++) {
		if (strncasecmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
			return &schemes[i];
	}
	return NULL;
}

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Returns the decoded text, or NULL: a broken escape, or a control character. */
static char *percent_decode(const char *text, size_t length)
{
	struct bytes out = { 0 };
	char *decoded = NULL;

	for (size_t i = 0; i < length; i++) {
		int c = (unsigned char)text[i];
		if (c == '%') {
			int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
			if (high < 0 || low < 0)
				goto end;
			c = high * 16 + low;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			goto end;
		bytes_append_char(&out, (char)c);
	}
	decoded = memory_text_of(out.data, out.length);
end:
	bytes_release(&out);
	return decoded;
}

/* Everything up to the last '@' is the login. */
static int url_login_read(char **login_r, const char **rest, const char **error_r)
{
	const char *at = strrchr(*rest, '@');
	size_t length;

	*login_r = NULL;
	if (at == NULL)
		return 0;
	length = (size_t)(at - *rest);
	if (memchr(*rest, ':', length) != NULL) {
		*error_r =
			"a password does not belong in a URL, where others can read it: write "
			"smtp://USER@HOST and keep the password in a file (password-file, "
			"--password-file) or a variable (password-env, PENSTOCK_PASSWORD); write "
			"a ':' of the user's name as %3A";
		return -1;
	}
	*login_r = percent_decode(*rest, length);
	if (*login_r == NULL || **login_r == '\0') {
		free(*login_r);
		*error_r = "the user's name in the URL is not readable: write special characters "
			   "as %XX";
		return -1;
	}
	*rest = at + 1;
	return 0;
}

static int url_smtp_parse(struct provider_settings *p, const struct scheme *scheme,
                          const char *text, const char **error_r)
{
	const char *rest = text + strlen(scheme->prefix);
	uint16_t port = scheme->port;
	size_t length;
	bool has_port;
	char *login, *authority, *host;

	if (url_login_read(&login, &rest, error_r) != 0)
		return -1;
	length = strlen(rest);
	if (length > 0 && rest[length - 1] == '/')
		length--;
	authority = memory_text_of(rest, length);
	host = host_port_read(authority, &port, &has_port);
	free(authority);
	if (host == NULL || port == 0) {
		free(login);
		free(host);
		*error_r = "write the URL as smtp://HOST:PORT, with smtp+tls, smtps or "
			   "smtp+notls as the manual says, and nothing after the port";
		return -1;
	}
	p->kind = PROVIDER_SMTP;
	p->tls = scheme->tls;
	p->port = port;
	text_set(&p->host, host);
	if (login != NULL)
		text_set(&p->login, login);
	return 0;
}

static int url_inbox_parse(struct provider_settings *p, const char *name, const char **error_r)
{
	if (!name_is_valid(name)) {
		*error_r = "write the name of an inbox, as in \"inbox:default\"";
		return -1;
	}
	p->kind = PROVIDER_INBOX;
	text_set(&p->inbox, memory_text(name));
	return 0;
}

static int url_discard_parse(struct provider_settings *p, const char *rest, const char **error_r)
{
	static const char delay[] = "?delay=";
	int64_t us = 0;

	if (*rest != '\0') {
		if (strncmp(rest, delay, sizeof(delay) - 1) != 0 ||
		    duration_parse(&us, rest + sizeof(delay) - 1, error_r) != 0) {
			*error_r = "write \"discard:\" or \"discard:?delay=500ms\"";
			return -1;
		}
	}
	p->kind = PROVIDER_DISCARD;
	p->discard_delay_us = us;
	return 0;
}

int provider_url_parse(struct provider_settings *p, const char *text, const char **error_r)
{
	const struct scheme *scheme = scheme_find(text);

	if (scheme != NULL)
		return url_smtp_parse(p, scheme, text, error_r);
	if (strncmp(text, "inbox:", 6) == 0)
		return url_inbox_parse(p, text + 6, error_r);
	if (strncmp(text, "discard:", 8) == 0)
		return url_discard_parse(p, text + 8, error_r);
	*error_r = "write a URL that begins with smtp://, smtp+tls://, smtps://, smtp+notls://, "
		   "inbox: or discard:";
	return -1;
}

bool name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > NAME_MAX_LENGTH)
		return false;
	for (; *name != '\0'; name++) {
		if (!isalnum((unsigned char)*name) && strchr("._-", *name) == NULL)
			return false;
	}
	return true;
}
