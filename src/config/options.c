/* SPDX-License-Identifier: ISC */
/* options.c - the command line of penstockd and its twin, the environment.
 *
 * Every option is also PENSTOCK_ and its name in capitals; the command line wins, for a repeatable
 * option as a whole. Values are only collected here; what they mean is overrides.c's.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/private.h"

#define VARIABLE_PREFIX "PENSTOCK_"

enum override_kind { TAKES_NONE, TAKES_VALUE, TAKES_LIST, MAY_TAKE_VALUE, COUNTS, ACTS, REFUSED };

struct override {
	const char *name;
	char letter; /* 0: none */
	enum override_kind kind;
	size_t offset; /* in struct overrides; ACTS: the action */
};

#define OVER(field) offsetof(struct overrides, field)
static const struct override known[] = {
	{ "foreground", 'F', TAKES_NONE, OVER(foreground) },
	{ "file", 'f', TAKES_VALUE, OVER(file) },
	{ "check", 'n', ACTS, ACTION_CHECK },
	{ "verbose", 'v', COUNTS, OVER(verbose) },
	{ "catch", 0, TAKES_NONE, OVER(catch_all) },
	{ "relay", 0, TAKES_VALUE, OVER(relay) },
	{ "smtp", 0, TAKES_LIST, OVER(smtp) },
	{ "smtps", 0, TAKES_LIST, OVER(smtps) },
	{ "http", 0, TAKES_LIST, OVER(http) },
	{ "http-allow-host", 0, TAKES_LIST, OVER(http_allow_host) },
	{ "http-auth-file", 0, TAKES_VALUE, OVER(http_auth_file) },
	{ "http-token-file", 0, TAKES_VALUE, OVER(http_token_file) },
	{ "http-certificate", 0, TAKES_VALUE, OVER(http_certificate) },
	{ "http-key", 0, TAKES_VALUE, OVER(http_key) },
	{ "http-base-path", 0, TAKES_VALUE, OVER(http_base_path) },
	{ "rate", 0, TAKES_LIST, OVER(rate) },
	{ "password-file", 0, TAKES_VALUE, OVER(password_file) },
	{ "print", 0, MAY_TAKE_VALUE, OVER(print) },
	{ "save", 0, TAKES_VALUE, OVER(save) },
	{ "spool", 0, TAKES_VALUE, OVER(spool) },
	{ "keep", 0, TAKES_VALUE, OVER(keep) },
	{ "max-age", 0, TAKES_VALUE, OVER(max_age) },
	{ "max-size", 0, TAKES_VALUE, OVER(max_size) },
	{ "exit-after", 0, TAKES_VALUE, OVER(exit_after) },
	{ "socket", 0, TAKES_VALUE, OVER(socket) },
	{ "faults", 0, TAKES_VALUE, OVER(faults) },
	{ "chaos", 0, MAY_TAKE_VALUE, OVER(chaos) },
	{ "help", 'h', ACTS, ACTION_HELP },
	{ "version", 'V', ACTS, ACTION_VERSION },
	{ "password", 0, REFUSED, 0 },
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* In the environment only: a secret, and what the penstock command reads. */
static const char *const other_variables[] = { "PROVIDERS", "PASSWORD", "CONTROL" };
#define OTHERS (sizeof(other_variables) / sizeof(other_variables[0]))

const char *overrides_usage(void)
{
	return "usage: penstockd [-F] [-f FILE] [-n] [-v]\n"
	       "       penstockd --catch [--smtp ADDR:PORT]... [--smtps ADDR:PORT]...\n"
	       "                 [--http ADDR:PORT|off]... [--http-allow-host NAME]...\n"
	       "                 [--http-auth-file FILE] [--http-base-path PATH]\n"
	       "                 [--http-certificate FILE --http-key FILE]\n"
	       "                 [--http-token-file FILE]\n"
	       "                 [--print[=line|headers|full|json]] [--save DIR]\n"
	       "                 [--keep N] [--max-age DURATION] [--max-size SIZE]\n"
	       "                 [--spool DIR|none] [--exit-after N] [--socket PATH]\n"
	       "                 [--chaos[=TRIGGER:CODE:PERCENT,...]]\n"
	       "                 [--faults FILE]\n"
	       "       penstockd --relay URL [--smtp ADDR:PORT]... [--password-file FILE]\n"
	       "                 [--rate N/PERIOD]... [--spool DIR] [--socket PATH]\n"
	       "                 [--http ADDR:PORT]...\n"
	       "\n"
	       "  -F, --foreground  stay in the foreground\n"
	       "  -f, --file FILE   read this configuration\n"
	       "  -n, --check       check the configuration, print what it means, and end\n"
	       "  -v, --verbose     log in detail\n"
	       "  --catch           keep every message in an inbox; nothing leaves the machine\n"
	       "  --relay URL       hand every message to smtp://USER@HOST:PORT; its password "
	       "comes\n"
	       "                    from --password-file or PENSTOCK_PASSWORD\n"
	       "  -h, --help        print this text\n"
	       "  -V, --version     print the version\n"
	       "\n"
	       "Every option can be given as PENSTOCK_ and its name in the environment\n"
	       "(PENSTOCK_SMTP=0.0.0.0:1025). See penstockd(8) and penstock.conf(5).\n";
}

/* --- storing --- */

static void *field_of(struct overrides *over, const struct override *o)
{
	return (char *)over + o->offset;
}

static void list_add_all(struct text_list *list, const char *value)
{
	while (*value != '\0') {
		size_t length = strcspn(value, ",");
		char *item = memory_text_of(value, length);
		if (length > 0)
			text_list_add(list, item);
		free(item);
		value += length + (value[length] == ',');
	}
}

static int flag_store(bool *flag, const char *value)
{
	bool on = strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
	          strcmp(value, "1") == 0;

	if (!on && strcasecmp(value, "false") != 0 && strcasecmp(value, "no") != 0 &&
	    strcmp(value, "0") != 0)
		return -1;
	*flag = on;
	return 0;
}

/* --- the environment --- */

/* "PENSTOCK_EXIT_AFTER" for "exit-after". */
static void variable_name(const char *name, char out[64])
{
	int length = snprintf(out, 64, VARIABLE_PREFIX "%s", name);

	for (int i = 0; i < length && out[i] != '\0'; i++)
		out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

static int variable_store(struct overrides *over, const struct override *o, const char *name,
                          const char *value, enum overrides_action *action_r, struct bytes *error)
{
	bool flag = false;

	switch (o->kind) {
	case TAKES_NONE:
	case COUNTS:
	case ACTS:
		if (flag_store(&flag, value) != 0) {
			bytes_printf(error, "%s: write true or false", name);
			return -1;
		}
		if (o->kind == TAKES_NONE)
			*(bool *)field_of(over, o) = flag;
		else if (o->kind == COUNTS)
			*(unsigned *)field_of(over, o) = flag;
		else if (flag)
			*action_r = (enum overrides_action)o->offset;
		break;
	case TAKES_LIST:
		list_add_all(field_of(over, o), value);
		break;
	case TAKES_VALUE:
	case MAY_TAKE_VALUE:
		*(const char **)field_of(over, o) = value;
		break;
	case REFUSED:
		break;
	}
	return 0;
}

static int unknown_variable(const char *name, struct bytes *error)
{
	const char *near = NULL;
	char names[KNOWN][64];

	for (size_t i = 0; i < KNOWN; i++) {
		variable_name(known[i].name, names[i]);
		near = nearest_name(name, names[i], near);
	}
	bytes_printf(error, "%.80s: no such variable", name);
	if (near != NULL)
		bytes_printf(error, ": did you mean %s?", near);
	else
		bytes_append_text(error, ": unset it; penstockd --help lists the options");
	return -1;
}

static int variable_read(struct overrides *over, const char *entry, enum overrides_action *action_r,
                         struct bytes *error)
{
	size_t length = strcspn(entry, "=");
	char *name = memory_text_of(entry, length);
	const char *value = entry[length] == '=' ? entry + length + 1 : "";
	const struct override *found = NULL;
	bool accepted = false;
	int rc = 0;

	for (size_t i = 0; i < OTHERS; i++)
		accepted |= strcmp(name + strlen(VARIABLE_PREFIX), other_variables[i]) == 0;
	for (size_t i = 0; i < KNOWN && !accepted; i++) {
		char candidate[64];
		variable_name(known[i].name, candidate);
		if (strcmp(name, candidate) == 0)
			found = &known[i];
	}
	if (found == NULL && !accepted)
		rc = unknown_variable(name, error);
	else if (found != NULL && *value != '\0') /* an empty variable is none */
		rc = variable_store(over, found, name, value, action_r, error);
	free(name);
	return rc;
}

static int environment_read(struct overrides *over, char **environment,
                            enum overrides_action *action_r, struct bytes *error)
{
	for (; environment != NULL && *environment != NULL; environment++) {
		mailpit_read(over, *environment);
		if (strncmp(*environment, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) == 0 &&
		    variable_read(over, *environment, action_r, error) != 0)
			return -1;
	}
	return 0;
}

/* --- the command line --- */

/* getopt's value for the n-th known option, beyond any letter. */
#define LONG_BASE 1000

static void getopt_prepare(struct option options[KNOWN + 1], char letters[2 * KNOWN + 2])
{
	size_t used = 0;

	letters[used++] = ':'; /* a missing value is told from an unknown option */
	for (size_t i = 0; i < KNOWN; i++) {
		const struct override *o = &known[i];
		bool takes = o->kind == TAKES_VALUE || o->kind == TAKES_LIST;
		options[i] = (struct option){
			.name = o->name,
			.has_arg = takes ? required_argument
			           : o->kind == MAY_TAKE_VALUE || o->kind == REFUSED
			                   ? optional_argument
			                   : no_argument,
			.val = LONG_BASE + (int)i,
		};
		if (o->letter != 0) {
			letters[used++] = o->letter;
			if (takes)
				letters[used++] = ':';
		}
	}
	options[KNOWN] = (struct option){ 0 };
	letters[used] = '\0';
}

static const struct override *known_find(int value)
{
	if (value >= LONG_BASE)
		return &known[value - LONG_BASE];
	for (size_t i = 0; i < KNOWN; i++) {
		if (known[i].letter == value)
			return &known[i];
	}
	return NULL;
}

static int argument_store(struct overrides *over, const struct override *o, const char *value,
                          bool seen[KNOWN], enum overrides_action *action_r, struct bytes *error)
{
	bool *repeated = &seen[o - known];

	if (*repeated && (o->kind == TAKES_VALUE || o->kind == MAY_TAKE_VALUE)) {
		bytes_printf(error, "--%s: is given twice: keep one of them", o->name);
		return -1;
	}
	switch (o->kind) {
	case TAKES_NONE:
		*(bool *)field_of(over, o) = true;
		break;
	case COUNTS:
		(*(unsigned *)field_of(over, o))++;
		break;
	case ACTS:
		*action_r = (enum overrides_action)o->offset;
		break;
	case TAKES_LIST:
		if (!*repeated) /* the command line replaces what the environment said */
			text_list_release(field_of(over, o));
		text_list_add(field_of(over, o), value);
		break;
	case TAKES_VALUE:
	case MAY_TAKE_VALUE:
		*(const char **)field_of(over, o) = value == NULL ? "" : value;
		break;
	case REFUSED:
		bytes_append_text(error,
		                  "--password: a password does not belong on a command line, "
		                  "where others can read it: use --password-file FILE or "
		                  "the variable PENSTOCK_PASSWORD");
		return -1;
	}
	*repeated = true;
	return 0;
}

static int unknown_argument(const char *argument, struct bytes *error)
{
	const char *near = NULL;
	char *name = memory_text_of(argument, strcspn(argument, "="));

	for (size_t i = 0; i < KNOWN && strncmp(name, "--", 2) == 0; i++) {
		if (known[i].kind != REFUSED)
			near = nearest_name(name + 2, known[i].name, near);
	}
	if (near != NULL && strcmp(name + 2, near) == 0) {
		bytes_printf(error, "%s: takes no value", name);
		free(name);
		return -1;
	}
	bytes_printf(error, "%.80s: no such option", name);
	if (near != NULL)
		bytes_printf(error, ": did you mean --%s?", near);
	else
		bytes_append_text(error, ": penstockd --help lists those there are");
	free(name);
	return -1;
}

static int arguments_read(struct overrides *over, int argc, char **argv,
                          enum overrides_action *action_r, struct bytes *error)
{
	struct option options[KNOWN + 1];
	char letters[2 * KNOWN + 2];
	bool seen[KNOWN] = { false };
	int value;

	getopt_prepare(options, letters);
	opterr = 0;
	optind = 0; /* glibc and musl: start anew, also after an error */
	while ((value = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const struct override *o;
		if (value == ':') {
			bytes_printf(error, "%s: a value is missing", argv[optind - 1]);
			return -1;
		}
		o = value == '?' ? NULL : known_find(value);
		if (o == NULL)
			return unknown_argument(argv[optind > 1 ? optind - 1 : 1], error);
		if (argument_store(over, o, optarg, seen, action_r, error) != 0)
			return -1;
	}
	if (optind < argc) {
		bytes_printf(error, "%.80s: this is no option; penstockd --help lists them",
		             argv[optind]);
		return -1;
	}
	return 0;
}

int overrides_parse(struct overrides *over_r, int argc, char **argv, char **environment,
                    enum overrides_action *action_r, struct bytes *error)
{
	memset(over_r, 0, sizeof(*over_r));
	*action_r = ACTION_RUN;
	over_r->as_root = geteuid() == 0;
	if (getcwd(over_r->directory, sizeof(over_r->directory)) == NULL)
		over_r->directory[0] = '\0'; /* it is gone: relative paths fail by themselves */
	if (environment_read(over_r, environment, action_r, error) != 0 ||
	    arguments_read(over_r, argc, argv, action_r, error) != 0) {
		overrides_release(over_r);
		return -1;
	}
	mailpit_prepare(over_r);
	return 0;
}

void overrides_release(struct overrides *over)
{
	text_list_release(&over->smtp);
	text_list_release(&over->smtps);
	text_list_release(&over->http);
	text_list_release(&over->http_allow_host);
	text_list_release(&over->rate);
	text_list_release(&over->mailpit);
}
