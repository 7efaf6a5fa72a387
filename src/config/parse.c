/* SPDX-License-Identifier: ISC */
/* parse.c - a configuration file into the fields of struct settings; the only file that knows
 * libconfuse.
 *
 * Every option is declared to libconfuse as text, made from the tables of language.c; a callback
 * sees each value with its line and hands it to setting_set(). Values that are wrong are collected,
 * so that one run tells several; what is no sentence of the language ends the reading.
 * libconfuse's lexer is global and its callbacks carry no context: one thread, one file at a time.
 */
#include "config/private.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

struct parse {
	struct settings *settings;
	struct problems *problems;
	struct scan scan;
	bool preset; /* of the provider at that index; else the configuration itself */
	size_t provider;
	cfg_t *root;
};

/* The parse that is under way; see the file's head. */
static struct parse *current;

static unsigned line_of(const cfg_t *cfg)
{
	return cfg->line > 0 ? (unsigned)cfg->line : 1;
}

static enum section section_of(const cfg_t *cfg)
{
	for (int i = SECTION_ROOT; i < SECTION_COUNT; i++) {
		if (strcmp(section_specs[i].name, cfg->name) == 0)
			return (enum section)i;
	}
	return SECTION_ROOT;
}

static void note_origin(enum section section, size_t index, const struct setting *option,
                        unsigned line)
{
	if (current->preset)
		origin_set_preset(current->settings, section, index, option, line);
	else
		origin_set_line(current->settings, section, index, option, line);
}

/* libconfuse does not tell inside which provider a reply rule stands; its end does. */
static size_t reply_index(const char *pattern, unsigned line)
{
	struct settings *s = current->settings;
	size_t index = s->reply_count;

	if (index > 0 && !s->replies[index - 1].owned)
		return index - 1;
	index = section_add(s, SECTION_REPLY, pattern);
	note_origin(SECTION_REPLY, index, NULL, scan_section_line(&current->scan, line));
	return index;
}

/* The title of the section around one that is inside another: the last of its kind so far. */
static const char *outer_title(enum section outer)
{
	const char *name = section_specs[outer].name;

	return cfg_getnsec(current->root, name, cfg_size(current->root, name) - 1)->title;
}

/* The index of the section that is being read, made when its first option or its end is seen. */
static size_t section_index(enum section section, const char *title, unsigned line)
{
	struct settings *s = current->settings;
	size_t count = section_count(s, section);
	enum section outer = section_specs[section].parent;
	size_t index = 0;

	if (section == SECTION_REPLY)
		return reply_index(title, line);
	if (current->preset) /* its title is its own name */
		return current->provider;
	if (section_is_inside(section))
		return section_index(outer, outer_title(outer), line);
	if (section_specs[section].titled) {
		/* Nearly always the last one: sections are read one after the other. */
		for (index = count; index > 0; index--) {
			if (strcmp(section_title(s, section, index - 1), title) == 0)
				return index - 1;
		}
		index = section_add(s, section, title);
		origin_set_line(s, section, index, NULL, scan_section_line(&current->scan, line));
	}
	return index;
}

static void value_problem(const cfg_t *cfg, const struct setting *option, const char *value,
                          const char *cure)
{
	struct bytes where = { 0 };

	if (section_specs[section_of(cfg)].titled)
		bytes_printf(&where, "%s \"%s\": ", cfg->name, cfg->title);
	else if (section_of(cfg) != SECTION_ROOT)
		bytes_printf(&where, "%s: ", cfg->name);
	/* What could hold a secret by mistake is not repeated; plain text is only ever empty. */
	if (option->kind != SETTING_TEXT && option->kind < SETTING_UNSUPPORTED && *value != '\0' &&
	    strlen(value) <= 80)
		problem(current->problems, "%s:%u: %s%s = \"%s\": %s", cfg->filename, line_of(cfg),
		        bytes_text(&where), option->name, value, cure);
	else
		problem(current->problems, "%s:%u: %s%s: %s", cfg->filename, line_of(cfg),
		        bytes_text(&where), option->name, cure);
	bytes_release(&where);
}

/* Whether this value is the first of an assignment that was made before. A list's later elements
 * and those added with += follow earlier ones: libconfuse has counted them. */
static bool is_repeated(const cfg_t *cfg, const cfg_opt_t *opt, const struct setting *option,
                        const struct origin *before)
{
	struct bytes cure = { 0 };

	if (before == NULL || (setting_is_list(option) && opt->nvalues > 1))
		return false;
	bytes_printf(&cure, "is written twice, first on line %u: keep one of them", before->line);
	value_problem(cfg, option, "", bytes_text(&cure));
	bytes_release(&cure);
	return true;
}

/* libconfuse has a value: check it and put it where it belongs. Never fails, so that the
 * reading goes on; the error is counted. */
static int got_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	enum section section = section_of(cfg);
	const struct setting *option = setting_find(section, opt->name);
	unsigned line = line_of(cfg);
	size_t index = section_index(section, cfg->title, line);
	struct settings *s = current->settings;
	const struct origin *before = origin_find(s, section, index, option);
	struct bytes cure = { 0 };

	*(const char **)result = value;
	if (current->preset && before != NULL && before->source != ORIGIN_PRESET)
		return 0; /* what is written counts */
	if (is_repeated(cfg, opt, option, before))
		return 0;
	if (before == NULL)
		note_origin(section, index, option, line);
	else if (option->kind == SETTING_UNSUPPORTED)
		return 0;
	if (setting_set(option, section_target(s, section, index), value, &cure) != 0)
		value_problem(cfg, option, value, bytes_text(&cure));
	bytes_release(&cure);
	return 0;
}

static void got_reply(const cfg_t *provider, const cfg_t *reply)
{
	struct settings *s = current->settings;
	size_t index = reply_index(reply->title, line_of(provider));
	struct place place = { s, SECTION_REPLY, index, "means" };

	s->replies[index].provider =
		section_index(SECTION_PROVIDER, provider->title, line_of(provider));
	s->replies[index].owned = true;
	if (origin_find(s, SECTION_REPLY, index, setting_find(SECTION_REPLY, "means")) == NULL)
		problem_at(current->problems, &place,
		           "is missing: write what such a reply means, as means = \"slow-down\"");
}

/* A section ends: note it, so that an empty one exists too and a second one is refused. */
static int got_section(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *sec = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	enum section section = section_of(sec);
	size_t index;
	unsigned line = scan_section_line(&current->scan, line_of(cfg));
	const struct origin *before;

	if (section == SECTION_REPLY) {
		got_reply(cfg, sec);
		return 0;
	}
	if (section_specs[section].titled) {
		(void)section_index(section, sec->title, line_of(cfg));
		return 0;
	}
	if (current->preset) /* it has values for who writes this section, and does not write it */
		return 0;
	index = section_index(section, NULL, line_of(cfg));
	before = origin_find(current->settings, section, index, NULL);
	if (before != NULL)
		problem(current->problems,
		        "%s:%u: %s is written twice, first on line %u: write all "
		        "its options in one place",
		        cfg->filename, line, opt->name, before->line);
	else
		origin_set_line(current->settings, section, index, NULL, line);
	return 0;
}

/* --- what libconfuse says --- */

#define NO_SUCH_OPTION  "no such option '%s'"
#define DUPLICATE_TITLE "found duplicate title '%s'"

/* Its other messages, said with the cure. */
static const struct complaint {
	const char *format, *cure;
} complaints[] = {
	{ "missing title for section '%s'", "write a name in quotes after it" },
	{ "missing equal sign after option '%s'", "write NAME = \"VALUE\"" },
	{ "missing opening brace for section '%s'", "write { after it" },
	{ "unexpected token '%s'", "an option has one value, or a list { \"a\", \"b\" } where "
	                           "penstock.conf(5) says so" },
	{ "unexpected closing brace", "write a value before it" },
};

static void unknown_option(const cfg_t *cfg, const char *name)
{
	enum section section = section_of(cfg);
	const char *near = setting_nearest(section, name);
	struct bytes where = { 0 };

	if (section != SECTION_ROOT)
		bytes_printf(&where, " in %s", cfg->name);
	if (near != NULL)
		problem(current->problems, "%s:%u: unknown option %.80s%s: did you mean %s?",
		        cfg->filename, line_of(cfg), name, bytes_text(&where), near);
	else
		problem(current->problems,
		        "%s:%u: unknown option %.80s%s: penstock.conf(5) lists "
		        "those there are",
		        cfg->filename, line_of(cfg), name, bytes_text(&where));
	bytes_release(&where);
}

static void got_error(cfg_t *cfg, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static void got_error(cfg_t *cfg, const char *format, va_list arguments)
{
	struct bytes text = { 0 };

	if (strcmp(format, NO_SUCH_OPTION) == 0) {
		unknown_option(cfg, va_arg(arguments, const char *));
		return;
	}
	if (strcmp(format, DUPLICATE_TITLE) == 0) {
		problem(current->problems,
		        "%s:%u: the name \"%s\" is taken by an earlier section of "
		        "this kind: choose another",
		        cfg->filename, line_of(cfg), va_arg(arguments, const char *));
		return;
	}
	bytes_vprintf(&text, format, arguments);
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
		if (strcmp(complaints[i].format, format) == 0)
			bytes_printf(&text, ": %s", complaints[i].cure);
	}
	problem(current->problems, "%s:%u: %s", cfg->filename, line_of(cfg), bytes_text(&text));
	bytes_release(&text);
}

/* --- what libconfuse is told --- */

static size_t options_declare(enum section section, cfg_opt_t *out, size_t room)
{
	size_t count = 0;

	for (const struct setting *o = section_specs[section].options; o->name != NULL; o++) {
		cfg_opt_t scalar = CFG_STR_CB(o->name, NULL, CFGF_NODEFAULT, got_value);
		cfg_opt_t list = CFG_STR_LIST_CB(o->name, NULL, CFGF_NODEFAULT, got_value);
		if (count < room)
			out[count++] = setting_is_list(o) ? list : scalar;
	}
	return count;
}

/* Options and sections of one section; the tables are far below this. */
#define DECLARED_MAX 48

static void sections_declare(enum section parent, cfg_opt_t *out, size_t count,
                             cfg_opt_t inner[SECTION_COUNT][DECLARED_MAX])
{
	for (int i = SECTION_ROOT + 1; i < SECTION_COUNT; i++) {
		cfg_flag_t flags = section_specs[i].titled
		                           ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES
		                           : CFGF_NODEFAULT;
		cfg_opt_t declared = CFG_SEC(section_specs[i].name, inner[i], flags);
		if (section_specs[i].parent != parent || count >= DECLARED_MAX - 1)
			continue;
		declared.validcb = got_section;
		out[count++] = declared;
	}
}

static cfg_t *language_declare(void)
{
	static const cfg_opt_t end = CFG_END();
	cfg_opt_t inner[SECTION_COUNT][DECLARED_MAX];

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		for (size_t j = 0; j < DECLARED_MAX; j++)
			inner[i][j] = end;
	}
	/* Inner ones first: libconfuse copies what it is given. */
	for (int i = SECTION_COUNT - 1; i >= SECTION_ROOT; i--) {
		size_t count = options_declare((enum section)i, inner[i], DECLARED_MAX - 1);
		sections_declare((enum section)i, inner[i], count, inner);
	}
	return cfg_init(inner[SECTION_ROOT], CFGF_NONE);
}

/* --- the file --- */

static void run_libconfuse(const char *file, char *text, size_t length)
{
	FILE *stream = fmemopen(text, length, "r");
	unsigned before = current->problems->count;
	cfg_t *cfg;

	if (stream == NULL) {
		problem(current->problems, "%s: %s", file, strerror(errno));
		return;
	}
	cfg = language_declare();
	current->root = cfg;
	cfg->filename = memory_text(file);
	cfg_set_error_function(cfg, got_error);
	if (cfg_parse_fp(cfg, stream) != CFG_SUCCESS && current->problems->count == before)
		problem(current->problems, "%s: cannot be read", file);
	cfg_free(cfg);
	fclose(stream);
}

static void parse_text(struct parse *parse, const char *file, char *text, size_t length)
{
	struct problems *problems = parse->problems;

	if (memchr(text, '\0', length) != NULL) {
		problem(problems, "%s: is not text: it holds a NUL byte", file);
		return;
	}
	scan_text(&parse->scan, text, length, file, problems);
	/* A text whose braces or quotes do not close would be misread from there on. */
	if (problems->count == 0 && length > 0) {
		current = parse;
		run_libconfuse(file, text, length);
		current = NULL;
	}
	scan_release(&parse->scan);
}

static void config_parse_text(struct settings *s, const char *file, char *text, size_t length,
                              struct problems *problems)
{
	struct parse parse = { .settings = s, .problems = problems };

	text_set(&s->file, memory_text(file));
	parse_text(&parse, file, text, length);
}

void config_parse_preset(struct settings *s, size_t provider, const char *file, char *text,
                         size_t length, struct problems *problems)
{
	struct parse parse = {
		.settings = s, .problems = problems, .preset = true, .provider = provider
	};

	parse_text(&parse, file, text, length);
}

int config_file_read(const char *file, struct bytes *text, struct problems *problems)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	if (fd >= 0) {
		bytes_reserve(text, CONFIG_FILE_MAX + 1);
		do {
			got = read(fd, text->data + text->length,
			           CONFIG_FILE_MAX + 1 - text->length);
			if (got > 0)
				text->length += (size_t)got;
		} while (got > 0 || (got < 0 && errno == EINTR));
	}
	if (fd < 0 || got < 0) {
		problem(problems, "%s: cannot be read: %s", file, strerror(errno));
	} else if (text->length > CONFIG_FILE_MAX) {
		problem(problems, "%s: is larger than %d bytes", file, CONFIG_FILE_MAX);
		got = -1;
	}
	if (fd >= 0)
		close(fd);
	return got == 0 ? 0 : -1;
}

void config_parse(struct settings *s, const char *file, struct problems *problems)
{
	struct bytes text = { 0 };

	if (config_file_read(file, &text, problems) == 0)
		config_parse_text(s, file, (char *)text.data, text.length, problems);
	bytes_release(&text);
}
