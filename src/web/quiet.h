/* SPDX-License-Identifier: ISC */
/* quiet.h - HTML of a mail without what makes a browser connect in spite of its policy. */
#ifndef WEB_QUIET_H
#define WEB_QUIET_H

#include "base/bytes.h"

/* What an answer with such HTML says, too: names behind links are not looked up. */
#define QUIET_HEADER "X-DNS-Prefetch-Control"
#define QUIET_VALUE  "off"

/* Appends the HTML with these elements renamed: <link> (rel=preconnect and dns-prefetch are subject
 * to no Content-Security-Policy), <iframe>, <frame>, <object> and <embed> (Chromium connects before
 * it finds that the policy forbids them). A connection alone tells a sender that the mail is read.
 * All else stays as it is, octet by octet. The HTML has to be served as UTF-8. */
void quiet_html(struct bytes *out, struct span html);

#endif
