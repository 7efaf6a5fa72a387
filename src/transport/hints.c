/* SPDX-License-Identifier: ISC */
/* hints.c - a refused login in words: what at this provider is the likely cause, and the cure.
 *
 * One table, first match wins; what providers say changes, so a row needs the provider's host or
 * words that nobody else says.
 */
#include <string.h>
#include <strings.h>

#include "mail/reply.h"
#include "transport/sasl.h"

#define GOOGLE      "Google takes no account password here: make an app password, or use oauth2"
#define GOOGLE_RATE "too many logins at Google: lower connections, raise connection-age"
#define MS_BASIC    "Microsoft 365 takes no passwords any more: use oauth2"
#define MS_DISABLED                                                                              \
	"SMTP AUTH is disabled at Microsoft 365: enable \"Authenticated SMTP\" for the mailbox " \
	"(or its tenant)"
#define MS_TOKEN                                                                                \
	"Microsoft 365 does not take the token: scope https://outlook.office365.com/.default, " \
	"permission SMTP.SendAsApp, and the app's right to the mailbox are needed"
#define SES                                                                                 \
	"Amazon SES has SMTP passwords of their own, each for one region: compare it with " \
	"the host's name"

/* Who may be meant: any secret, passwords only, tokens only. */
enum kind { ANY, PASSWORD, TOKEN };

static const struct hint {
	const char *host; /* the end of its name; NULL: any */
	enum kind kind;
	int code;         /* 0: any */
	const char *says; /* somewhere in the text or the enhanced code, without case; NULL: any */
	const char *words;
} hints[] = {
	{ NULL, ANY, 0, "SmtpClientAuthentication is disabled", MS_DISABLED },
	{ NULL, PASSWORD, 0, "basic authentication is disabled", MS_BASIC },
	{ NULL, PASSWORD, 0, "security defaults", MS_BASIC },
	{ NULL, ANY, 0, "Basic authentication is not supported", MS_BASIC },
	{ ".office365.com", ANY, 0, "5.7.30", MS_BASIC },
	{ ".office365.com", ANY, 0, "5.7.139", MS_DISABLED },
	{ ".office365.com", TOKEN, 535, NULL, MS_TOKEN },
	{ ".office365.com", PASSWORD, 535, NULL,
	  "Microsoft 365 does not take this password: SMTP AUTH may be disabled, or use oauth2" },
	{ NULL, PASSWORD, 534, "Application-specific password", GOOGLE },
	{ ".gmail.com", ANY, 0, "Too many login attempts", GOOGLE_RATE },
	{ ".gmail.com", PASSWORD, 534, NULL, GOOGLE },
	{ ".gmail.com", PASSWORD, 535, NULL, GOOGLE },
	{ ".gmail.com", TOKEN, 535, NULL,
	  "Google does not take the token: the scope is https://mail.google.com/, and the login "
	  "has to be the account that agreed" },
	{ ".amazonaws.com", PASSWORD, 535, NULL, SES },
	{ ".sendgrid.net", ANY, 0, "Maximum credits exceeded",
	  "SendGrid: the account's credits are used up" },
	{ ".sendgrid.net", PASSWORD, 535, NULL,
	  "SendGrid's login is the word apikey, the password an API key" },
	{ ".mailgun.org", PASSWORD, 535, NULL,
	  "Mailgun's logins belong to one domain and one region: smtp.mailgun.org, or "
	  "smtp.eu.mailgun.org" },
	{ ".sparkpostmail.com", PASSWORD, 535, NULL,
	  "SparkPost's login is SMTP_Injection, the password an API key of the host's region" },
	{ ".postmarkapp.com", PASSWORD, 535, NULL,
	  "Postmark's login and password are both the server's token" },
	{ ".brevo.com", PASSWORD, 535, NULL,
	  "Brevo has an SMTP key for this, which is not the API key" },
	{ ".mandrillapp.com", PASSWORD, 535, NULL, "Mandrill's password is an API key" },
	{ NULL, TOKEN, 535, NULL, "the provider does not take the token" },
	{ NULL, PASSWORD, 535, NULL, "the provider does not take this login and password" },
	{ NULL, ANY, 454, NULL, "the provider cannot check logins at the moment" },
};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcasecmp(text + length - end_length, end) == 0;
}

static bool is_meant(const struct hint *h, const char *host, bool token, int code, const char *text)
{
	return (h->host == NULL || ends_with(host, h->host)) &&
	       (h->kind == ANY || (h->kind == TOKEN) == token) &&
	       (h->code == 0 || h->code == code) &&
	       (h->says == NULL || strcasestr(text, h->says) != NULL);
}

const char *login_hint(const char *host, bool token, const struct reply *reply)
{
	struct bytes text = { 0 };
	const char *words = NULL;

	reply_format(reply, &text);
	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints) && words == NULL; i++) {
		if (is_meant(&hints[i], host, token, reply->code, bytes_text(&text)))
			words = hints[i].words;
	}
	bytes_release(&text);
	return words;
}
