/* SPDX-License-Identifier: ISC */
/* settings.h - everything the parts may know of the configuration.
 *
 * Plain const structs, made once by settings_load() from a file or the command line,
 * checked, and then never changed: one immutable
 * snapshot with a reference count, swapped on reload. Durations are
 * microseconds, sizes bytes.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <limits.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/log.h"

enum settings_mode { MODE_RELAY, MODE_CATCH };
enum listener_tls {
	LISTENER_TLS_OFF,
	LISTENER_TLS_STARTTLS,
	LISTENER_TLS_REQUIRED,
	LISTENER_TLS_IMPLICIT
};
enum listener_auth { AUTH_OFF, AUTH_OPTIONAL, AUTH_REQUIRED, AUTH_ANY };
enum provider_tls {
	PROVIDER_TLS_OPPORTUNISTIC,
	PROVIDER_TLS_STARTTLS,
	PROVIDER_TLS_IMPLICIT,
	PROVIDER_TLS_NEVER
};
enum tls_verify { TLS_VERIFY_FULL, TLS_VERIFY_CA, TLS_VERIFY_PIN, TLS_VERIFY_OFF };
/* How to log in at a provider: strongest that it offers, or this mechanism alone. */
enum provider_auth {
	PROVIDER_AUTH_AUTO,
	PROVIDER_AUTH_PLAIN,
	PROVIDER_AUTH_LOGIN,
	PROVIDER_AUTH_CRAM_MD5,
	PROVIDER_AUTH_SCRAM_SHA_256,
	PROVIDER_AUTH_XOAUTH2,
	PROVIDER_AUTH_OAUTHBEARER,
	PROVIDER_AUTH_COUNT
};
enum provider_kind { PROVIDER_SMTP, PROVIDER_INBOX, PROVIDER_DISCARD };
enum route_balance { BALANCE_ORDER, BALANCE_WEIGHT, BALANCE_LEAST_BUSY };
enum rate_unit { RATE_MESSAGES, RATE_RECIPIENTS };
enum print_mode { PRINT_OFF, PRINT_LINE, PRINT_HEADERS, PRINT_FULL, PRINT_JSON };

/* A network of relay-from: address bytes in network order. */
struct network {
	int family; /* AF_INET, AF_INET6 */
	unsigned char address[16];
	unsigned prefix; /* bits */
};

struct rate {
	uint64_t count;
	int64_t period_us;
	uint64_t burst;
	enum rate_unit unit;
};

/* What a reply that fits a provider's rule means: relay/verdict.h. */
enum reply_means {
	REPLY_MEANS_NOTHING, /* not written */
	REPLY_MEANS_DELIVER,
	REPLY_MEANS_DEFER,
	REPLY_MEANS_BOUNCE,
	REPLY_MEANS_SLOW_DOWN,
	REPLY_MEANS_FEWER_CONNECTIONS,
	REPLY_MEANS_END_SESSION,
	REPLY_MEANS_QUOTA,
	REPLY_MEANS_LOGIN_REFUSED,
	REPLY_MEANS_NEXT_PROVIDER,
	REPLY_MEANS_PROVIDER_DOWN
};

/* reply 'REGEX' { means = "..." } of a provider. */
struct reply_rule {
	char *pattern; /* POSIX extended, compared without case with "450 4.2.1 words" */
	enum reply_means means;
	int64_t wait_us; /* slow-down and quota: 0: as the reply says, or a default */
	regex_t compiled;
	bool is_compiled;
	bool owned;      /* private to config: `provider` is known */
	size_t provider; /* its place in the settings */
};

struct text_list {
	char **items;
	size_t count;
};

struct listener_settings {
	char *name;    /* as written: "127.0.0.1:25", "[::1]:25", "unix:/path" */
	char *address; /* without brackets and port; the path of a Unix socket */
	bool is_unix;
	uint16_t port;
	unsigned unix_mode;    /* 0666 as root, 0600 for a user */
	bool local_submission; /* smtp.sock: 8-bit without BODY= accepted, bare names qualified */
	enum listener_tls tls;
	char *certificate; /* files; NULL with STARTTLS in catch mode: made at first use */
	char *key;
	enum listener_auth auth;
	char *users;                 /* file; NULL: none */
	bool auth_without_tls;       /* also from other hosts */
	struct text_list peer_users; /* of a Unix socket: who may relay; empty: everybody */
	uint32_t *peer_uids;         /* the same as numbers */
	bool add_date, add_message_id, add_from; /* what is missing in the mail of our clients */
	char *default_from;                      /* a mailbox; NULL: the envelope's sender */
	bool qualify; /* bare names of local programs get the hostname; else they are refused */
	struct network *relay_from;
	size_t relay_from_count;
	bool open_relay;
	uint64_t max_message_size;
	size_t max_recipients;
	int64_t max_future_release_us; /* RFC 4865; 0: not offered */
	size_t max_connections;
	size_t max_connections_per_client;
	int64_t idle_timeout_us;  /* RFC 5321 4.5.3.2.7: 5 minutes */
	bool reject_bare_newline; /* bare-newline = "reject" */
	bool proxy_protocol;
	struct network *proxy_from; /* who may speak it */
	size_t proxy_from_count;
	struct rate *client_rates; /* rate-per-client: messages of one address */
	size_t client_rate_count;
	size_t max_errors_per_client; /* a minute; 0: no limit */
	uint64_t max_header_size;
	uint64_t min_data_rate; /* octets a second; 0: no limit */
};

/* What a login may do; "*": those that have no section of their own. */
struct login_settings {
	char *name;
	struct text_list sender; /* patterns; empty: any */
};

/* A bare name of this host. */
struct alias_settings {
	char *name;
	struct text_list to; /* addresses with domains */
};

enum oauth2_grant { OAUTH2_REFRESH_TOKEN, OAUTH2_CLIENT_CREDENTIALS, OAUTH2_SERVICE_ACCOUNT };

/* How a provider's access tokens are had. NULL: not written. */
struct oauth2_settings {
	bool used; /* the section is written: tokens instead of a password */
	enum oauth2_grant grant;
	char *token_url;
	char *authorize_url; /* for penstock login */
	char *client_id;
	char *client_secret_file;
	char *refresh_token_file;
	char *scope;
	char *service_account_file;     /* Google's JSON */
	char *subject;                  /* of the service account's claim; NULL: the login */
	char *tls_ca;                   /* file; NULL: the system's store */
	struct text_list token_command; /* program and arguments, instead of all that */
};

struct provider_settings {
	char *name;
	char *url;    /* as written; holds no secret */
	char *preset; /* NULL: none */
	char *region; /* for the preset's host */
	enum provider_kind kind;
	char *host;
	uint16_t port;
	enum provider_tls tls;
	enum tls_verify verify;
	char *tls_ca;                    /* file; NULL: the system's store */
	bool tls_1_3;                    /* tls-min-version = "1.3", else 1.2 */
	char *tls_certificate, *tls_key; /* files: who we are; NULL: nobody */
	char *tls_pin;                   /* base64 SHA-256 of the SPKI, with TLS_VERIFY_PIN */
	enum provider_auth auth;
	char *login;                       /* NULL: no AUTH */
	char *password;                    /* NULL without login; wiped by settings_release() */
	char *password_file;               /* where it was read from: this file, */
	char *password_env;                /* or this variable; */
	struct text_list password_command; /* or what this program prints when it is asked */
	struct oauth2_settings oauth2;
	size_t connections;
	size_t messages_per_connection;
	size_t recipients_per_message;
	size_t pipeline; /* most transactions in flight on a connection */
	int64_t connect_timeout_us;
	int64_t idle_timeout_us;
	int64_t indeterminate_wait_us; /* pinned to this provider for so long */
	int64_t connection_age_us;
	struct rate *rates;
	size_t rate_count;
	struct text_list warm_up_written; /* "200/d", "doubling" */
	struct rate warm_up;              /* of the first day; count 0: none */
	bool adaptive;                    /* slow down when it asks for it, and recover by itself */
	uint64_t max_message_size;        /* 0: not known */
	struct text_list from_allowed;    /* patterns of senders that it takes; empty: all, or: */
	char *rewrite_from;               /* who the others become; NULL: they go elsewhere */
	const struct reply_rule **replies; /* in the order of comparison; the settings' */
	size_t reply_count;
	char *inbox;              /* PROVIDER_INBOX: its name */
	int64_t discard_delay_us; /* PROVIDER_DISCARD */
};

struct route_settings {
	char *name;
	struct text_list sender, recipient, login, listener; /* patterns; empty: any */
	struct text_list header;                             /* "Name: pattern"; empty: any */
	struct text_list via_written;                        /* as "name" or "name:weight" */
	struct text_list via;                                /* provider names, in order */
	size_t *weights;                                     /* of each; NULL: all are equal */
	enum route_balance balance;
	int priority;      /* -9..9 */
	int64_t *retry_us; /* the last one repeats */
	size_t retry_count;
	int64_t expire_us;
	int64_t delay_warning_us; /* its sender is told after so long; 0: never */
	int64_t stick_us;         /* after a failover, before going back */
	struct rate *rates;       /* of all its mail */
	size_t rate_count;
	struct rate *sender_rates; /* of each login, else sender's domain */
	size_t sender_rate_count;
	bool releases;         /* of our own making: settings_release_route() */
	bool bounce_to_sender; /* bounce = "sender" | "log" */
	bool hold;
	char *copy; /* an inbox that keeps one, too: settings_inbox(); NULL: none */
};

struct inbox_settings {
	char *name;
	char *release; /* the provider to which its messages may be released; NULL: none */
	/* What is older, or more, is removed, the oldest first; 0: no limit. */
	size_t keep; /* messages */
	int64_t max_age_us;
	uint64_t max_size; /* octets of its messages */
	bool tag_login;    /* the login of the sending client is a tag */
};

/* Messages that one of the searches finds get this tag as they come. */
struct tag_settings {
	char *name;
	struct text_list query; /* in the language of search */
	char *inbox;            /* NULL: every one */
};

/* One address of the web. */
struct http_listener {
	char *address; /* without brackets */
	uint16_t port;
};

/* The web over TCP; without listeners there is none. The control socket is always there. */
struct http_settings {
	struct text_list listen; /* as written */
	struct http_listener *listeners;
	size_t listener_count;
	struct text_list allow_host; /* names in Host and Origin beside our own; "*": any */
	char *auth_file;             /* USER:PASSWORD or USER:HASH a line; NULL: no login */
	char *token_file;            /* for /relay/v1 over TCP; NULL: not there */
	char *certificate, *key;     /* files: TLS alone; NULL: none */
	char *base_path;             /* begins and ends with a slash */
	size_t max_connections;      /* over TCP */
};

/* Mailpit's chaos: what happens by chance. */
enum { CHAOS_SENDER, CHAOS_RECIPIENT, CHAOS_AUTHENTICATION, CHAOS_TRIGGERS };
struct chaos {
	unsigned code;        /* 400 to 599 */
	unsigned probability; /* percent */
};

struct settings {
	atomic_uint references;
	enum settings_mode mode;
	char *file; /* NULL: none was read */
	char *hostname;
	char *user; /* NULL: stay */
	char *group;
	size_t workers; /* 0: one per core */
	int64_t stop_timeout_us;
	char *spool_path;
	bool spool_temporary; /* --spool none: removed at exit */
	uint64_t spool_max_size;
	char *control_socket;
	char *local_socket; /* smtp.sock */
	struct listener_settings *listeners;
	size_t listener_count;
	struct provider_settings
		*providers; /* in file order; "inbox", "discard" built in at the end */
	size_t provider_count;
	struct route_settings
		*routes; /* in file order; the default route is made when none is written */
	size_t route_count;
	struct reply_rule *replies; /* of all providers; those of presets after the written ones */
	size_t reply_count;
	struct login_settings *logins;
	size_t login_count;
	struct alias_settings *aliases;
	size_t alias_count;
	struct inbox_settings *inboxes; /* "default" always exists */
	size_t inbox_count;
	struct tag_settings *tags;
	size_t tag_count;
	struct http_settings http;
	char *bounce_from; /* MAILER-DAEMON@hostname */
	bool bounce_full;  /* return = "full" | "headers" */
	enum log_format log_format;
	enum log_level log_level;
	enum log_target log_target;
	/* Command line only. */
	enum print_mode print;
	char *save; /* directory */
	uint64_t exit_after;
	char *faults;                                /* a file of rules; NULL: none */
	bool chaos;                                  /* Mailpit's chaos may be asked for */
	struct chaos chaos_triggers[CHAOS_TRIGGERS]; /* code 0: not said */
	bool foreground;
	struct bytes origin; /* private to config: what -n prints about where values come from */
};

/* What the command line and the environment say; NULL and 0: not said. */
struct overrides {
	const char *file; /* -f */
	/* Where and as whom the daemon was started: it goes elsewhere, and may become another, but
	 * settings that are read again mean the same. */
	char directory[PATH_MAX];
	bool as_root;
	bool catch_all;
	const char *relay;
	struct text_list smtp, smtps, http, http_allow_host, rate;
	const char *http_auth_file, *http_token_file, *http_certificate, *http_key, *http_base_path;
	struct text_list mailpit; /* variables of its own that we know, NAME=value */
	const char *password_file;
	const char *print; /* "" for a bare --print */
	const char *save;
	const char *spool;
	const char *keep, *max_age, *max_size; /* of the inbox */
	const char *exit_after;
	const char *socket;
	const char *chaos; /* "" for a bare --chaos */
	const char *faults;
	bool foreground;
	unsigned verbose;
};

/* Reads the command line of penstockd and every PENSTOCK_ name of the environment.
 * Returns 0, or -1 with a message for the user in *error (the caller releases it). An unknown
 * PENSTOCK_ name is an error. `*action_r` says what else was asked (help, version, -n). */
enum overrides_action { ACTION_RUN, ACTION_CHECK, ACTION_HELP, ACTION_VERSION };
int overrides_parse(struct overrides *over_r, int argc, char **argv, char **environment,
                    enum overrides_action *action_r, struct bytes *error);
void overrides_release(struct overrides *over);
/* What --help prints. */
const char *overrides_usage(void);

/* Builds the settings from the file (or from --catch / --relay) and the overrides, and checks them
 * as a whole. 0 with a snapshot that has one reference; -1 with an error that names file, line,
 * option, what is wrong and what would be right. Warnings are appended to *notes, one a line. */
int settings_load(struct settings **settings_r, const struct overrides *over, struct bytes *error,
                  struct bytes *notes);

struct settings *settings_acquire(const struct settings *s);
void settings_release(struct settings **s);

/* The effective settings in the configuration language, secrets hidden; what -n prints. */
void settings_print(const struct settings *s, struct bytes *out);

/* NULL: none of that name. */
const struct provider_settings *settings_provider(const struct settings *s, const char *name);
/* An inbox by "inbox:NAME", or by the name of a provider that is one; NULL: there is none. */
const struct inbox_settings *settings_inbox(const struct settings *s, const char *target);
/* The route by which messages of an inbox are released: no mail finds it by itself. NULL: its
 * messages stay. */
const struct route_settings *settings_release_route(const struct settings *s, const char *inbox);
/* What is said of a login: its own section, else that of "*". */
const struct login_settings *settings_login(const struct settings *s, const char *name);
/* Of a bare name, without case; of an address, when its domain is the hostname. */
const struct alias_settings *settings_alias(const struct settings *s, struct span name);
const struct alias_settings *settings_alias_of(const struct settings *s, struct span local,
                                               struct span domain);

/* Whether a token may be asked for there: https, or http on this host. */
bool settings_url_is_safe(const char *url);

/* The default places for this user (penstockd(8), FILES), also for the CLI. */
int settings_default_control(enum settings_mode mode, bool system, struct bytes *path_r);
/* The submission socket that belongs to a control socket: smtp.sock beside it (catch-smtp.sock
 * beside catch.sock, so that a relay and a catch daemon can share a directory). */
void settings_local_socket(const char *control, struct bytes *path_r);

#endif
