/* SPDX-License-Identifier: ISC */
/* private.h - what the files of src/config/ share among themselves.
 *
 * The language is a table (language.c): from it come the options libconfuse is told of, the
 * setting of fields, the defaults and what -n prints. A new option is a field in settings.h
 * and a line in that table.
 */
#ifndef CONFIG_PRIVATE_H
#define CONFIG_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "config/settings.h"

/* --- limits --- */

/* A configuration is read whole; the longest honest one is far below. */
#define CONFIG_FILE_MAX   (4 * 1024 * 1024) /* bytes */
/* Passwords and API keys; a larger file is the wrong file. */
#define SECRET_MAX        4096 /* bytes */
/* More errors than a screen holds help nobody. */
#define PROBLEMS_MAX      20
/* Names of providers, routes and inboxes are stored in the spool and shown in logs. */
#define NAME_MAX_LENGTH   64 /* bytes */
/* Beyond this a limit limits nothing; keeps arithmetic on counts far from overflow. */
#define RATE_COUNT_MAX    UINT64_C(1000000000)
#define RATE_PERIOD_MAX   (366 * CLOCK_DAY)
/* Routes of our own making, one for each inbox with `release`: this and the inbox's name. */
#define RELEASE_ROUTE     "release."
/* Sections of one kind, so that nothing here grows without bound. */
#define SECTION_COUNT_MAX 10000
/* A reply is matched while mail waits: what glibc makes of a pattern stays small with these. */
#define PATTERN_MAX       256  /* octets of a reply rule's pattern */
#define PATTERN_REPEAT    1000 /* all its repetition counts multiplied */

/* --- the language --- */

enum section {
	SECTION_ROOT,
	SECTION_SPOOL,
	SECTION_LISTEN,
	SECTION_PROVIDER,
	SECTION_ROUTE,
	SECTION_LOGIN,
	SECTION_ALIAS,
	SECTION_BOUNCES,
	SECTION_CONTROL,
	SECTION_INBOX,
	SECTION_TAG,
	SECTION_LOG,
	SECTION_HTTP,
	SECTION_OAUTH2, /* in a provider, and kept in its struct */
	SECTION_REPLY,
	SECTION_COUNT
};

enum setting_kind {
	SETTING_TEXT,
	SETTING_FLAG,
	SETTING_COUNT,    /* size_t */
	SETTING_PRIORITY, /* int */
	SETTING_SIZE,
	SETTING_DURATION,    /* its choices: the word for 0 */
	SETTING_CHOICE,      /* an enum */
	SETTING_CHOICE_FLAG, /* one word for false, one for true */
	SETTING_VERIFY,      /* tls-verify: two fields of a provider */
	SETTING_TEXTS,       /* from here on lists, the count in a field of its own */
	SETTING_DURATIONS,
	SETTING_RATES,
	SETTING_NETWORKS,
	SETTING_UNSUPPORTED,
	SETTING_REFUSED /* a secret where none may be */
};

struct choice {
	const char *name; /* NULL ends the table */
	int value;
	bool unsupported;
};

struct setting {
	const char *name; /* NULL ends the table */
	enum setting_kind kind;
	size_t offset;       /* of the field in the section's struct */
	size_t count_offset; /* of a list's count */
	int64_t min, max;    /* counts, sizes, durations */
	const struct choice *choices;
	const char *fallback; /* in the language, list items separated by commas; NULL: none, or
	                         given by defaults.c */
};

struct section_spec {
	const char *name;
	const struct setting *options;
	bool titled;
	enum section parent;
	/* Titled ones: where struct settings keeps them. */
	size_t array_offset, count_offset, size;
};

extern const struct section_spec section_specs[SECTION_COUNT];

/* Runs over the options of a section: for (o = spec->options; o->name != NULL; o++). */
const struct setting *setting_find(enum section section, const char *name);
bool setting_is_list(const struct setting *option);
/* The known name nearest to `name` among options and sections inside `section`; NULL: none near. */
const char *setting_nearest(enum section section, const char *name);
const char *nearest_name(const char *name, const char *candidate, const char *best);

/* The struct that holds a section's fields. */
void *section_target(struct settings *s, enum section section, size_t index);
/* One for each of its parent's sections, in the same struct. */
bool section_is_inside(enum section section);
size_t section_count(const struct settings *s, enum section section);
const char *section_title(const struct settings *s, enum section section, size_t index);
/* Adds an element with that title (its first field); returns its index. */
size_t section_add(struct settings *s, enum section section, const char *title);

/* Removes all elements and what is known of their origin. */
void section_clear(struct settings *s, enum section section);

/* Sets a field, or appends to a list. -1: *cure says what would be right. */
int setting_set(const struct setting *option, void *target, const char *text, struct bytes *cure);
/* Appends the value as the language writes it; nothing when it has none. */
void setting_print(const struct setting *option, const void *target, struct bytes *out);
void string_print(const char *text, struct bytes *out); /* in double quotes, escaped */

/* --- where values come from --- */

enum origin_source { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_COMMAND, ORIGIN_PRESET };

struct origin {
	uint8_t section;
	uint8_t source;
	int16_t option; /* index in the section's table; ORIGIN_TITLE: the section itself */
	uint32_t index;
	uint32_t line;    /* ORIGIN_FILE, ORIGIN_PRESET */
	const char *name; /* ORIGIN_COMMAND: the option, "--smtp"; a constant */
};

#define ORIGIN_TITLE (-1)

void origin_set_line(struct settings *s, enum section section, size_t index,
                     const struct setting *option, unsigned line);
/* In the file of the provider's preset. */
void origin_set_preset(struct settings *s, enum section section, size_t index,
                       const struct setting *option, unsigned line);
void origin_set_command(struct settings *s, enum section section, size_t index,
                        const struct setting *option, const char *name);
/* option NULL: the section itself. NULL: a default. */
const struct origin *origin_find(const struct settings *s, enum section section, size_t index,
                                 const struct setting *option);
/* "file.conf:12" or "--smtp"; "" for a default. */
void origin_format(const struct settings *s, const struct origin *origin, struct bytes *out);

/* --- what is wrong --- */

struct problems {
	struct bytes *error;
	struct bytes *notes;
	unsigned count;
};

/* A place in the configuration: the line of an option, or of its section when it is not written. */
struct place {
	const struct settings *settings;
	enum section section;
	size_t index;
	const char *option; /* NULL: the section */
};

void problem_at(struct problems *problems, const struct place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void note_at(struct problems *problems, const struct place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Without a place in the language; the text begins with one of its own or needs none. */
void problem(struct problems *problems, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void note(struct problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- Mailpit's variables --- */

void mailpit_read(struct overrides *over, const char *entry); /* one of the environment */
/* Once the command line is read: with --catch, what it leaves open. */
void mailpit_prepare(struct overrides *over);
void mailpit_apply(struct settings *s, const struct overrides *over, struct problems *problems);

/* --- the steps of settings_load() --- */

/* Everything said about a text before libconfuse sees it. */
struct section_lines {
	unsigned first, last;
};
struct scan {
	struct section_lines *sections; /* in the order of their openings */
	size_t count;
};
/* Replaces comments by spaces, newlines kept, so that libconfuse counts lines right; reports
 * what libconfuse would misread in silence. */
void scan_text(struct scan *scan_r, char *text, size_t length, const char *file,
               struct problems *problems);
void scan_release(struct scan *scan);
/* The first line of the innermost section around `line`; `line` outside of any. */
unsigned scan_section_line(const struct scan *scan, unsigned line);

void config_parse(struct settings *s, const char *file, struct problems *problems);
/* What a preset's file says, for the options of that provider that are not written. */
void config_parse_preset(struct settings *s, size_t provider, const char *file, char *text,
                         size_t length, struct problems *problems);
/* The text of a file; -1 and a problem when it cannot be read. */
int config_file_read(const char *file, struct bytes *text, struct problems *problems);
void presets_apply(struct settings *s, struct problems *problems);
/* A path of the command line, whole; the caller frees it. */
/* Sets an option of the language from the command line. */
void override_apply(struct settings *s, enum section section, size_t index, const char *name,
                    const char *value, const char *argument, struct problems *problems);
char *overrides_path(const struct overrides *over, const char *path);
void chaos_print(const struct settings *s, struct bytes *out);
void chaos_apply(struct settings *s, const char *text, struct problems *problems);
void overrides_apply(struct settings *s, const struct overrides *over, struct problems *problems);
void defaults_apply(struct settings *s, const struct overrides *over, bool system,
                    struct problems *problems);
/* What follows from what is written: addresses from titles, hosts from URLs, TLS from ports. */
void endpoints_derive(struct settings *s, struct problems *problems);
void replies_derive(struct settings *s, struct problems *problems); /* compiles them */
void secrets_read(struct settings *s, struct problems *problems);
void check_logins(struct settings *s, struct problems *problems); /* and aliases */
void check_providers(struct settings *s, struct problems *problems);
void check_routes(struct settings *s, struct problems *problems);
/* http.c: the web. */
void http_overrides(struct settings *s, const struct overrides *over, struct problems *problems);
void http_derive(struct settings *s, struct problems *problems);
void check_http(const struct settings *s, struct problems *problems);
void http_release(struct http_settings *http);
/* What a provider logs in with. */
void check_credentials(const struct settings *s, size_t index, struct problems *problems);
void check_settings(struct settings *s, struct problems *problems);

/* places.c: 0, or -1 when the user has no home directory. */
int default_file(struct bytes *path_r, bool system);
int default_spool(struct bytes *path_r, enum settings_mode mode, bool system);
bool account_exists(const char *name);
/* By name or number; 0, or -1: there is none of that name. */
int account_number(uint32_t *uid_r, const char *name);

/* --- small things --- */

int number_read(uint64_t *number_r, const char **text); /* decimal; no sign, no leading zero */
void text_set(char **field, char *text);                /* frees the old, takes the new */
void secret_set(char **field, char *text);              /* and wipes the old */
void text_list_add(struct text_list *list, const char *text);
void text_list_release(struct text_list *list);
bool name_is_valid(const char *name);
bool host_is_loopback(const char *host);
void network_format(const struct network *net, struct bytes *out);

#endif
