/* SPDX-License-Identifier: ISC */
/* What a refused login likely means: replies that were seen, and words an operator can act upon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "mail/reply.h"
#include "transport/sasl.h"

static const struct {
	const char *host;
	bool token;
	int code;
	const char *enhanced, *text;
	const char *names; /* in the hint; NULL: there is none */
} rows[] = {
	{ "smtp.gmail.com", false, 535, "5.7.8", "Username and Password not accepted",
	  "app password" },
	{ "smtp.gmail.com", false, 534, "5.7.9", "Application-specific password required",
	  "app password" },
	{ "smtp.gmail.com", false, 534, "5.7.14", "Please log in via your web browser",
	  "app password" },
	{ "smtp.gmail.com", true, 535, "5.7.8", "Username and Password not accepted", "scope" },
	{ "smtp.gmail.com", false, 454, "4.7.0", "Too many login attempts, please try again later",
	  "connections" },
	{ "SMTP.Office365.com", false, 535, "5.7.139",
	  "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
	  "SMTP AUTH is disabled" },
	{ "smtp.office365.com", true, 535, "5.7.139",
	  "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox",
	  "SMTP AUTH is disabled" },
	{ "smtp.office365.com", false, 535, "5.7.139",
	  "Authentication unsuccessful, basic authentication is disabled.", "oauth2" },
	{ "smtp.office365.com", false, 550, "5.7.30",
	  "Basic authentication is not supported for Client Submission.", "oauth2" },
	{ "smtp.office365.com", true, 535, "5.7.3", "Authentication unsuccessful",
	  "SMTP.SendAsApp" },
	{ "smtp.office365.com", false, 535, "5.7.3", "Authentication unsuccessful", "oauth2" },
	{ "email-smtp.eu-west-1.amazonaws.com", false, 535, NULL,
	  "Authentication Credentials Invalid", "region" },
	{ "smtp.sendgrid.net", false, 535, NULL, "Authentication failed: Bad username / password",
	  "apikey" },
	{ "smtp.sendgrid.net", false, 451, NULL, "Authentication failed: Maximum credits exceeded",
	  "credits" },
	{ "smtp.mailgun.org", false, 535, "5.7.0", "authentication failed", "eu" },
	{ "smtp.sparkpostmail.com", false, 535, "5.7.8", "no", "SMTP_Injection" },
	{ "smtp.postmarkapp.com", false, 535, "5.7.8", "no", "token" },
	{ "smtp-relay.brevo.com", false, 535, "5.7.8", "no", "SMTP key" },
	{ "smtp.mandrillapp.com", false, 535, "5.7.8", "no", "API key" },
	{ "mail.example.net", false, 535, "5.7.8", "no", "login and password" },
	{ "mail.example.net", true, 535, "5.7.8", "no", "token" },
	{ "mail.example.net", false, 454, "4.7.0", "try later", "at the moment" },
	{ "mail.example.net", false, 504, "5.5.4", "no", NULL },
	{ "gmail.com.example.net", false, 534, "5.7.9", "no", NULL },
};

static void test_hints(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct reply reply = { .code = rows[i].code, .text = memory_text(rows[i].text) };
		const char *hint;
		size_t used;

		if (rows[i].enhanced != NULL)
			assert_true(enhanced_code_parse(&reply.enhanced,
			                                span_of_text(rows[i].enhanced), &used));
		hint = login_hint(rows[i].host, rows[i].token, &reply);
		if (rows[i].names == NULL)
			assert_null(hint);
		else
			assert_true(hint != NULL && strstr(hint, rows[i].names) != NULL);
		/* `penstock status` shows 255 octets, the peer's words behind. */
		assert_true(hint == NULL || strlen(hint) < 200);
		reply_release(&reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hints) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
