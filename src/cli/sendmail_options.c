/* SPDX-License-Identifier: ISC */
/* sendmail_options.c - the words that sendmail(1) is called with, as cron, PHP, mutt, git and
 * mail(1) write them.
 *
 * Letters may stand together ("-ti"); a value may be attached ("-fann") or the next word ("-f
 * ann"). What only means something to other daemons is read over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "mail/header.h"

/* Others have theirs attached or none: "-oi", "-oem", "-em", "-q15m", "-d". */
static const char with_value[] = "ABCFLNORSVXbfhpr";
static const char without_value[] = "GIUimnstvx";

static void add_recipient(void *context, const char *name, const char *address)
{
	struct sendmail_options *o = context;

	(void)name;
	o->recipients = memory_grow(o->recipients, o->count + 1, sizeof(*o->recipients));
	o->recipients[o->count++] = memory_text(address);
}

/* Words are lists too: "a@x, b@y", "Ann <a@x>". */
static int add_recipients(struct sendmail_options *o, const char *text, struct bytes *error)
{
	size_t before = o->count;

	header_addresses(span_of_text(text), add_recipient, o);
	if (o->count > before)
		return 0;
	bytes_printf(error, "'%s' is no address", text);
	return -1;
}

static int mode_set(struct sendmail_options *o, const char *mode, struct bytes *error)
{
	if (strcmp(mode, "m") == 0) {
		o->mode = SENDMAIL_DELIVER;
	} else if (strcmp(mode, "p") == 0) {
		o->mode = SENDMAIL_LIST;
	} else if (strcmp(mode, "i") == 0) {
		o->mode = SENDMAIL_NOTHING;
	} else {
		bytes_printf(error,
		             "-b%s is not supported: penstockd is the daemon, and takes SMTP",
		             mode);
		return -1;
	}
	return 0;
}

static int option_set(struct sendmail_options *o, char letter, const char *value,
                      struct bytes *error)
{
	switch (letter) {
	case 'b':
		return mode_set(o, value, error);
	case 'f':
	case 'r':
		o->sender = value;
		break;
	case 'F':
		o->name = value;
		break;
	case 'S':
		o->smtp = value;
		break;
	case 'i':
		o->dots_are_text = true;
		break;
	case 'o':
		o->dots_are_text |= strcmp(value, "i") == 0;
		break;
	case 'q':
		o->mode = SENDMAIL_NOTHING;
		break;
	case 't':
		o->from_header = true;
		break;
	default:
		break;
	}
	return 0;
}

/* One word of letters; *next_r is the word behind it, and moves when that is its value. */
static int take_word(struct sendmail_options *o, const char *word, char ***next_r,
                     struct bytes *error)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		const char *value = "";

		if (strchr(with_value, *letter) != NULL && letter[1] == '\0') {
			value = **next_r;
			if (value == NULL) {
				bytes_printf(error, "-%c needs a value", *letter);
				return -1;
			}
			(*next_r)++;
		} else if (strchr(without_value, *letter) == NULL) {
			value = letter + 1;
		}
		if (option_set(o, *letter, value, error) < 0)
			return -1;
		if (strchr(without_value, *letter) == NULL)
			return 0; /* with its value, or a letter nobody knows */
	}
	return 0;
}

/* Those of mailpit sendmail and mhsendmail that change something; the rest is read over. */
static int take_long(struct sendmail_options *o, const char *word, char ***next_r,
                     struct bytes *error)
{
	static const struct {
		const char *name;
		char letter;
	} names[] = { { "--smtp-addr", 'S' }, { "--from", 'f' } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i].name);
		const char *value = word + length + 1;

		if (strncmp(word, names[i].name, length) != 0 ||
		    (word[length] != '\0' && word[length] != '='))
			continue;
		if (word[length] == '\0' && (value = **next_r) == NULL) {
			bytes_printf(error, "%s needs a value", word);
			return -1;
		}
		*next_r += word[length] == '\0';
		return option_set(o, names[i].letter, value, error);
	}
	return 0;
}

static void mode_of_name(struct sendmail_options *o, const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *name = slash == NULL ? argv0 : slash + 1;

	if (strcmp(name, "mailq") == 0)
		o->mode = SENDMAIL_LIST;
	else if (strcmp(name, "newaliases") == 0)
		o->mode = SENDMAIL_NOTHING;
}

int sendmail_options_parse(struct sendmail_options *o, int argc, char **argv, struct bytes *error)
{
	char **next = argv + (argc > 0 ? 1 : 0);

	memset(o, 0, sizeof(*o));
	if (argc > 0)
		mode_of_name(o, argv[0]);
	while (*next != NULL && (*next)[0] == '-' && (*next)[1] != '\0') {
		const char *word = *next++;

		if (strcmp(word, "--") == 0)
			break;
		if ((word[1] == '-' ? take_long : take_word)(o, word, &next, error) < 0)
			return -1;
	}
	for (; *next != NULL; next++)
		if (add_recipients(o, *next, error) < 0)
			return -1;
	return 0;
}

void sendmail_options_release(struct sendmail_options *o)
{
	for (size_t i = 0; i < o->count; i++)
		free(o->recipients[i]);
	free(o->recipients);
	memset(o, 0, sizeof(*o));
}
