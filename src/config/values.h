/* SPDX-License-Identifier: ISC */
/* values.h - the one parser for each kind of value: durations, sizes, rates, listen
 * addresses, networks, provider URLs. Each returns 0, or -1 with in *error_r a constant
 * text that says what would be right. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config/settings.h"

int duration_parse(int64_t *us_r, const char *text,
                   const char **error_r); /* 90s 15min 1h30m 5d 500ms */
void duration_format(int64_t us, struct bytes *out);
int size_parse(uint64_t *bytes_r, const char *text, const char **error_r); /* 50MiB 25MB 1024 */
void size_format(uint64_t bytes, struct bytes *out);
/* "14/s", "30 messages/min", "50000 recipients/d", "14/s burst 28", "100/15min" */
int rate_parse(struct rate *rate_r, const char *text, const char **error_r);
void rate_format(const struct rate *rate, struct bytes *out);
int network_parse(struct network *net_r, const char *text, const char **error_r);
bool network_contains(const struct network *net, int family, const unsigned char *address);
/* "127.0.0.1:25", "[::1]:25", "localhost:25", ":25" is an error, "unix:/path". Fills name, address,
 * port, is_unix. */
int listen_parse(struct listener_settings *l, const char *text, const char **error_r);
/* smtp://user@host:587 smtp+tls:// smtps:// smtp+notls:// inbox:NAME discard:?delay=500ms
 * A password inside is refused, naming the cure. Fills kind, host, port, tls, login. */
int provider_url_parse(struct provider_settings *p, const char *text, const char **error_r);

#endif
