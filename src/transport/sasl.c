/* SPDX-License-Identifier: ISC */
/* sasl.c - the mechanisms as a table, and the short ones: PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC
 * 2195), OAUTHBEARER (RFC 7628) and its forerunner XOAUTH2.
 *
 * SCRAM is in scram.c. libgsasl has four of the six but neither of OAuth's; what it would save is
 * scram.c, and it would bring three libraries along.
 */
#include "transport/sasl.h"

#include <string.h>

#include "base/json.h"
#include "base/mac.h"
#include "base/memory.h"

static void begin_plain(struct sasl *s, struct bytes *out)
{
	bytes_append_char(out, '\0');
	bytes_append_text(out, s->login);
	bytes_append_char(out, '\0');
	bytes_append_text(out, s->secret);
}

static int answer_plain(struct sasl *s, struct span challenge, struct bytes *out,
                        const char **error_r)
{
	(void)challenge;
	*error_r = "asks for more than a login and a password";
	if (s->answers > 0)
		return -1;
	begin_plain(s, out); /* the initial response was overlooked */
	return 0;
}

/* There is no standard; the prompts say nothing that could be relied upon. */
static int answer_login(struct sasl *s, struct span challenge, struct bytes *out,
                        const char **error_r)
{
	(void)challenge;
	*error_r = "asks for more than a login and a password";
	if (s->answers > 1)
		return -1;
	bytes_append_text(out, s->answers == 0 ? s->login : s->secret);
	return 0;
}

static int answer_cram_md5(struct sasl *s, struct span challenge, struct bytes *out,
                           const char **error_r)
{
	unsigned char mac[MAC_MD5_SIZE];

	*error_r = "asks for more than one answer of CRAM-MD5";
	if (s->answers > 0)
		return -1;
	*error_r = "cannot be logged in to with CRAM-MD5: there is no MD5 here";
	if (mac_hmac_md5(span_of_text(s->secret), challenge, mac) != 0)
		return -1;
	bytes_append_text(out, s->login);
	bytes_append_char(out, ' ');
	for (size_t i = 0; i < sizeof(mac); i++)
		bytes_printf(out, "%02x", mac[i]);
	return 0;
}

static void begin_xoauth2(struct sasl *s, struct bytes *out)
{
	bytes_append_text(out, "user=");
	bytes_append_text(out, s->login);
	bytes_append_text(out, "\001auth=Bearer ");
	bytes_append_text(out, s->secret);
	bytes_append_text(out, "\001\001");
}

/* RFC 5801 4: ',' and '=' in the authorization identity of the GS2 header. */
static void begin_oauthbearer(struct sasl *s, struct bytes *out)
{
	bytes_append_text(out, "n,a=");
	for (const char *p = s->login; *p != '\0'; p++) {
		if (*p == ',' || *p == '=')
			bytes_append_text(out, *p == ',' ? "=2C" : "=3D");
		else
			bytes_append_char(out, *p);
	}
	bytes_append_text(out, ",\001host=");
	bytes_append_text(out, s->host);
	bytes_printf(out, "\001port=%u\001auth=Bearer ", (unsigned)s->port);
	bytes_append_text(out, s->secret);
	bytes_append_text(out, "\001\001");
}

/* What is no plain word is not repeated: it goes to logs, and could be anything. */
static void take_status(struct sasl *s, struct span json)
{
	struct bytes status = { 0 };
	const char *text;

	if (json_member(json, "status", &status) == 0) {
		text = bytes_text(&status);
		if (status.length <= SASL_STATUS_MAX && strcmp(text, s->secret) != 0 &&
		    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		                 "0123456789_- ") == status.length)
			memcpy(s->status, text, status.length + 1);
	}
	bytes_release(&status);
}

/* A challenge is the server's error (RFC 7628 3.2.2), which is to be answered before it says no. An
 * empty one is for the initial response that was overlooked. */
static int answer_token(struct sasl *s, struct span challenge, struct bytes *out,
                        const char **error_r)
{
	*error_r = "asks for more than a token";
	if (s->refused || (s->answers > 0 && challenge.length == 0))
		return -1;
	if (challenge.length == 0) {
		if (s->mechanism == PROVIDER_AUTH_XOAUTH2)
			begin_xoauth2(s, out);
		else
			begin_oauthbearer(s, out);
		return 0;
	}
	s->refused = true;
	take_status(s, challenge);
	if (s->mechanism == PROVIDER_AUTH_OAUTHBEARER)
		bytes_append_char(out, '\001');
	return 0;
}

struct mechanism {
	const char *name;
	bool token;
	void (*begin)(struct sasl *s, struct bytes *out); /* NULL: the server speaks first */
	int (*answer)(struct sasl *s, struct span challenge, struct bytes *out,
	              const char **error_r);
};

/* The later, the stronger: SCRAM proves both sides, CRAM-MD5 does not tell the password. */
static const enum provider_auth strength[] = {
	PROVIDER_AUTH_LOGIN,         PROVIDER_AUTH_PLAIN,   PROVIDER_AUTH_CRAM_MD5,
	PROVIDER_AUTH_SCRAM_SHA_256, PROVIDER_AUTH_XOAUTH2, PROVIDER_AUTH_OAUTHBEARER,
};

static const struct mechanism mechanisms[PROVIDER_AUTH_COUNT] = {
	[PROVIDER_AUTH_PLAIN] = { "PLAIN", false, begin_plain, answer_plain },
	[PROVIDER_AUTH_LOGIN] = { "LOGIN", false, NULL, answer_login },
	[PROVIDER_AUTH_CRAM_MD5] = { "CRAM-MD5", false, NULL, answer_cram_md5 },
	[PROVIDER_AUTH_SCRAM_SHA_256] = { "SCRAM-SHA-256", false, scram_begin, scram_answer },
	[PROVIDER_AUTH_XOAUTH2] = { "XOAUTH2", true, begin_xoauth2, answer_token },
	[PROVIDER_AUTH_OAUTHBEARER] = { "OAUTHBEARER", true, begin_oauthbearer, answer_token },
};

const char *sasl_name(enum provider_auth mechanism)
{
	return mechanisms[mechanism].name;
}

enum provider_auth sasl_find(struct span name)
{
	for (int i = PROVIDER_AUTH_AUTO + 1; i < PROVIDER_AUTH_COUNT; i++) {
		if (span_equal_nocase(name, span_of_text(mechanisms[i].name)))
			return (enum provider_auth)i;
	}
	return PROVIDER_AUTH_AUTO;
}

enum provider_auth sasl_choose(enum provider_auth wanted, bool token, unsigned offered)
{
	enum provider_auth best = PROVIDER_AUTH_AUTO;

	for (size_t i = 0; i < sizeof(strength) / sizeof(*strength); i++) {
		enum provider_auth one = strength[i];

		if (mechanisms[one].token == token && (offered & sasl_bit(one)) != 0 &&
		    (wanted == PROVIDER_AUTH_AUTO || wanted == one))
			best = one;
	}
	return best;
}

bool sasl_begin(struct sasl *s, struct bytes *out)
{
	if (mechanisms[s->mechanism].begin == NULL)
		return false;
	mechanisms[s->mechanism].begin(s, out);
	return true;
}

int sasl_answer(struct sasl *s, struct span challenge, struct bytes *out, const char **error_r)
{
	int rc = mechanisms[s->mechanism].answer(s, challenge, out, error_r);

	s->answers++;
	return rc;
}

bool sasl_proved(const struct sasl *s)
{
	return s->mechanism != PROVIDER_AUTH_SCRAM_SHA_256 || s->proved;
}

void sasl_release(struct sasl *s)
{
	bytes_release(&s->first);
	memory_wipe(s->proof, sizeof(s->proof));
}
