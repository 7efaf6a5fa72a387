/* SPDX-License-Identifier: ISC */
/* run.c - plays dialogue scripts: run FILE...
 *
 * Each script is played twice, delivered in large pieces and octet by octet: an engine has to
 * behave the same. At its end nothing may be left that the script did not expect.
 */
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "script.h"

/* Lines that expect-last may skip: more than the longest EHLO. */
#define SKIPPED_LINES_MAX 100

struct play {
	struct dialogue dialogue;
	struct clock_set clock;
	const struct script *script;
	void *engine;
	struct stream *peer, *other; /* other: the engine's, until it starts */
	struct bytes heard;
	struct bytes why; /* it failed */
	bool started, closed;
};

void dialogue_event(struct dialogue *d, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(&d->events, format, arguments);
	va_end(arguments);
	bytes_append_char(&d->events, '\n');
}

char *engine_argument(const char *rest, const char *name)
{
	size_t length = strlen(name);
	const char *at = rest;

	while (*at != '\0') {
		size_t word = strcspn(at, " ");

		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return memory_text_of(at + length + 1, word - length - 1);
		at += word;
		at += strspn(at, " ");
	}
	return NULL;
}

bool engine_parse_bool(bool *value_r, const char *text)
{
	*value_r = strcmp(text, "yes") == 0;
	return *value_r || strcmp(text, "no") == 0;
}

/* The peer's end of the pair */

static void peer_readable(void *context)
{
	struct play *p = context;
	struct span input = stream_input(p->peer);

	bytes_append_span(&p->heard, input);
	stream_consume(p->peer, input.length);
}

static void peer_closed(void *context, const char *error)
{
	struct play *p = context;

	(void)error;
	p->closed = true;
	stream_free(&p->peer);
}

static const struct stream_events peer_events = { .readable = peer_readable,
	                                          .closed = peer_closed };

/* Matching */

static bool glob(const char *pattern, const char *text)
{
	for (; *pattern != '*'; pattern++, text++) {
		if (*pattern != *text)
			return false;
		if (*pattern == '\0')
			return true;
	}
	for (pattern++; *text != '\0'; text++)
		if (glob(pattern, text))
			return true;
	return glob(pattern, text);
}

static bool matches(struct step *step, const char *text)
{
	const char *pattern = bytes_text(&step->text);
	regex_t regex;
	bool match;

	if (!step->regex)
		return glob(pattern, text);
	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	match = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return match;
}

/* The first line of `from`, which the caller frees; NULL: there is none. */
static char *take_line(struct bytes *from)
{
	const unsigned char *end =
		from->length == 0 ? NULL : memchr(from->data, '\n', from->length);
	size_t length;
	char *line;

	if (end == NULL)
		return NULL;
	length = (size_t)(end - from->data);
	line = memory_text_of(from->data, length);
	if (length > 0 && line[length - 1] == '\r')
		line[length - 1] = '\0';
	bytes_consume(from, length + 1);
	return line;
}

static bool failed(struct play *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool failed(struct play *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(&p->why, format, arguments);
	va_end(arguments);
	return false;
}

static bool expect_line(struct play *p, struct step *step, struct bytes *from, const char *what)
{
	char *line = take_line(from);
	bool match;

	if (line == NULL)
		return failed(p, "no %s came", what);
	match = matches(step, line);
	if (!match)
		failed(p, "got the %s '%s'", what, line);
	free(line);
	return match;
}

static bool expect_last(struct play *p, struct step *step)
{
	for (int i = 0; i < SKIPPED_LINES_MAX; i++) {
		char *line = take_line(&p->heard);
		bool match = line != NULL && matches(step, line);
		bool end = line == NULL;

		free(line);
		if (match)
			return true;
		if (end)
			break;
	}
	return failed(p, "no such line came");
}

static bool expect_quiet(struct play *p)
{
	if (p->heard.length > 0)
		return failed(p, "still unexpected: '%s'", bytes_text(&p->heard));
	if (p->dialogue.events.length > 0)
		return failed(p, "still unexpected: event '%s'", bytes_text(&p->dialogue.events));
	return true;
}

static bool expect_closed(struct play *p)
{
	if (!expect_quiet(p))
		return false;
	return p->closed || failed(p, "the connection is open");
}

/* Playing */

static bool say(struct play *p, struct step *step)
{
	if (p->peer == NULL)
		return failed(p, "the connection is closed");
	stream_write(p->peer, step->text.data, step->text.length);
	return true;
}

static bool start_tls(struct play *p)
{
	bool is_client = strcmp(p->script->engine->peer, "client") == 0;

	if (p->peer == NULL)
		return failed(p, "the connection is closed");
	stream_start_tls(p->peer, is_client ? p->dialogue.client_tls : p->dialogue.server_tls,
	                 is_client ? "localhost" : NULL);
	return true;
}

static bool play_step(struct play *p, struct step *step)
{
	const struct engine *engine = p->script->engine;

	switch (step->kind) {
	case STEP_SET:
		if (p->started)
			return failed(p, "'set' comes before everything else");
		return engine->set(p->engine, step->word, step->rest) ||
		       failed(p, "no such setting");
	case STEP_SAY:
		return say(p, step);
	case STEP_HEAR:
		return expect_line(p, step, &p->heard, "line");
	case STEP_HEAR_LAST:
		return expect_last(p, step);
	case STEP_EVENT:
		return expect_line(p, step, &p->dialogue.events, "event");
	case STEP_QUIET:
		return expect_quiet(p);
	case STEP_CLOSE:
		stream_free(&p->peer);
		return true;
	case STEP_CLOSED:
		return expect_closed(p);
	case STEP_TLS:
		return start_tls(p);
	case STEP_SECURED:
		return (p->peer != NULL && stream_is_tls(p->peer)) || failed(p, "there is no TLS");
	case STEP_PASS:
		loop_pass(p->dialogue.loop, step->us);
		return true;
	case STEP_COMMAND:
		return engine->command(p->engine, step->word, step->rest) ||
		       failed(p, "no such command, or not now");
	}
	return failed(p, "no such step");
}

static void start(struct play *p)
{
	p->started = true;
	p->script->engine->start(p->engine, p->other);
	loop_pass(p->dialogue.loop, 0);
}

static bool is_tls(const struct script *script, size_t i)
{
	return i < script->count && script->steps[i].kind == STEP_TLS;
}

/* The number of the line that failed, or 0. */
static unsigned play_steps(struct play *p)
{
	for (size_t i = 0; i < p->script->count; i++) {
		struct step *step = &p->script->steps[i];

		if (step->kind != STEP_SET && !p->started)
			start(p);
		if (!play_step(p, step))
			return step->line;
		/* A server that says 220 to STARTTLS must be in TLS before the client's hello
		 * comes. */
		if (p->started && !(step->kind == STEP_SAY && is_tls(p->script, i + 1)))
			loop_pass(p->dialogue.loop, 0);
	}
	if (!p->started)
		start(p);
	return expect_quiet(p) ? 0 : p->script->steps[p->script->count - 1].line;
}

static bool play(const struct script *script, const struct dialogue *common, size_t piece,
                 const char *file)
{
	struct play p = { .script = script, .dialogue = *common };
	unsigned line;

	clock_set_init(&p.clock, INT64_C(1790000000) * CLOCK_SEC);
	p.dialogue.clock = &p.clock;
	p.dialogue.loop = loop_new_set(&p.clock);
	stream_pair(p.dialogue.loop, &p.peer, &p.other);
	stream_pair_limit(p.peer, piece);
	stream_pair_limit(p.other, piece);
	stream_set_events(p.peer, &peer_events, &p);
	p.engine = script->engine->make(&p.dialogue);
	line = play_steps(&p);
	if (line != 0)
		printf("%s:%u: %s (in pieces of %zu)\n", file, line, bytes_text(&p.why), piece);
	stream_free(&p.peer);
	if (!p.started)
		stream_free(&p.other);
	script->engine->end(p.engine);
	loop_free(&p.dialogue.loop);
	bytes_release(&p.heard);
	bytes_release(&p.why);
	bytes_release(&p.dialogue.events);
	return line == 0;
}

static bool run_file(const char *file, const struct dialogue *common)
{
	struct script script;
	struct bytes error = { 0 };
	bool good = script_read(&script, file, &error) == 0;

	if (!good)
		printf("%s\n", bytes_text(&error));
	good = good && play(&script, common, STREAM_READ_SIZE, file) &&
	       play(&script, common, 1, file);
	script_release(&script);
	bytes_release(&error);
	return good;
}

static int make_tls(struct dialogue *d)
{
	char directory[] = "/tmp/penstock-dialogue-XXXXXX", certificate[64], key[64];
	struct bytes error = { 0 };
	int rc = -1;

	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(certificate, sizeof certificate, "%s/cert.pem", directory);
	snprintf(key, sizeof key, "%s/key.pem", directory);
	if (tls_make_certificate(certificate, key, "localhost", &error) == 0 &&
	    tls_context_new_server(&d->server_tls, "here", certificate, key, &error) == 0 &&
	    tls_context_new_client(&d->client_tls, TLS_TRUST_FULL, certificate, NULL, &error) == 0)
		rc = 0;
	else
		printf("%s\n", bytes_text(&error));
	unlink(certificate);
	unlink(key);
	rmdir(directory);
	bytes_release(&error);
	return rc;
}

static void no_log(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

int main(int argc, char **argv)
{
	struct dialogue common = { 0 };
	int passed = 0, wrong = 0;

	if (make_tls(&common) < 0)
		return 1;
	if (getenv("DIALOGUE_LOG") == NULL)
		log_capture(no_log, NULL);
	for (int i = 1; i < argc; i++) {
		if (run_file(argv[i], &common))
			passed++;
		else
			wrong++;
	}
	tls_context_free(&common.server_tls);
	tls_context_free(&common.client_tls);
	printf("%d passed, %d failed\n", passed, wrong);
	return wrong > 0 || passed == 0;
}
