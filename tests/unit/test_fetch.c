/* SPDX-License-Identifier: ISC */
/* fetch over a set clock: one job for all who wait, renewal, refusals, back-off, the end. The
 * secret is what a program of the test prints, which counts how often it was started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "fetch/fetch.h"

#define SCRIPT                                                               \
	"echo x >> \"$0\"; test -e \"$1\" && exit 1; "                       \
	"echo '{\"access_token\": \"token-'$(wc -l < \"$0\" | tr -d ' ')'\"" \
	", \"expires_in\": 100}'"

static char directory[] = "/tmp/fetch-XXXXXX";

struct lab {
	struct clock_set clock;
	struct channel *main, *worker;
	struct settings *settings;
	struct provider_settings *provider;
	struct fetch *fetch;
	size_t answered, known;
	unsigned number;
	char secret[64], error[256];
};

static struct lab *lab;

static void on_answer(struct fetch_query *query)
{
	lab->answered++;
	lab->known += query->known;
	lab->number = query->number;
	snprintf(lab->secret, sizeof(lab->secret), "%s", bytes_text(&query->secret));
	snprintf(lab->error, sizeof(lab->error), "%s", bytes_text(&query->error));
	fetch_query_release(query);
	free(query);
}

static void ask(void)
{
	struct fetch_query *query = memory_new(sizeof(*query));

	query->home = lab->worker;
	query->provider = "p";
	query->answered = on_answer;
	fetch_ask(lab->fetch, query);
}

static void rest(void)
{
	channel_receive(lab->main);
	channel_receive(lab->worker);
}

/* Until so many were answered. */
static void await(size_t count)
{
	rest();
	while (lab->answered < count) {
		channel_wait(lab->main, -1);
		rest();
	}
	assert_int_equal(lab->answered, count);
}

static size_t starts(void)
{
	struct stat st;

	return stat("count", &st) == 0 ? (size_t)st.st_size / 2 : 0;
}

/* Until the program was started so often, and its answer has come. */
static void await_start(size_t count)
{
	while (starts() < count)
		channel_wait(lab->main, 1000);
	channel_wait(lab->main, -1);
	rest();
}

static void ignore_line(void *context, enum log_level level, const char *line)
{
	(void)context, (void)level;
	assert_null(strstr(line, "token-"));
}

static int enter(void **state)
{
	static char *words[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
		                 (char *)(uintptr_t)SCRIPT, (char *)(uintptr_t) "count",
		                 (char *)(uintptr_t) "fail" };
	struct text_list *command;

	(void)state;
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	if (mkdtemp(directory) == NULL || chdir(directory) != 0)
		return -1;
	log_capture(ignore_line, NULL);
	lab = memory_new(sizeof(*lab));
	clock_set_init(&lab->clock, 1800000000 * CLOCK_SEC);
	clock_set_pass(&lab->clock, CLOCK_HOUR);
	lab->settings = memory_new(sizeof(*lab->settings));
	atomic_init(&lab->settings->references, 2); /* never released: it is of the test's making */
	lab->provider = memory_new(sizeof(*lab->provider));
	lab->provider->name = (char *)(uintptr_t) "p";
	lab->provider->oauth2.used = true;
	command = &lab->provider->oauth2.token_command;
	command->items = words;
	command->count = 5;
	lab->settings->providers = lab->provider;
	lab->settings->provider_count = 1;
	lab->main = channel_new(NULL);
	lab->worker = channel_new(NULL);
	lab->fetch = fetch_new(lab->settings, lab->main, &lab->clock.clock);
	fetch_start(lab->fetch);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	fetch_stop(lab->fetch);
	rest();
	fetch_free(&lab->fetch);
	channel_free(&lab->main);
	channel_free(&lab->worker);
	free(lab->provider);
	free(lab->settings);
	free(lab);
	log_capture(NULL, NULL);
	unlink("count");
	unlink("fail");
	return chdir("/") == 0 ? rmdir(directory) : -1;
}

static void test_all_share_one(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		ask();
	await(20);
	assert_int_equal(lab->known, 20);
	assert_string_equal(lab->secret, "token-1");
	clock_set_pass(&lab->clock, 79 * CLOCK_SEC);
	ask();
	await(21);
	assert_int_equal(starts(), 1);
}

static void test_renewed_ahead(void **state)
{
	(void)state;
	ask();
	await(1);
	clock_set_pass(&lab->clock, 80 * CLOCK_SEC);
	ask();
	ask();
	await(3); /* at once, with what is good for 20 s more */
	assert_string_equal(lab->secret, "token-1");
	await_start(2);
	ask();
	await(4);
	assert_string_equal(lab->secret, "token-2");
	clock_set_pass(&lab->clock, 100 * CLOCK_SEC);
	ask(); /* it ended: this one waits */
	await(5);
	assert_string_equal(lab->secret, "token-3");
	assert_int_equal(starts(), 3);
}

static void test_refused(void **state)
{
	(void)state;
	ask();
	await(1);
	for (int i = 0; i < 10; i++)
		fetch_refused(lab->fetch, "p", lab->number); /* by ten connections */
	ask();
	await(2);
	assert_string_equal(lab->secret, "token-2");
	fetch_refused(lab->fetch, "p", lab->number - 1); /* the old one, late */
	fetch_refused(lab->fetch, "p", lab->number);     /* the new one, too */
	ask();
	await(3);
	assert_string_equal(lab->secret, "token-2");
	clock_set_pass(&lab->clock, CLOCK_MIN);
	fetch_refused(lab->fetch, "p", lab->number);
	ask();
	await(4);
	assert_string_equal(lab->secret, "token-3");
	assert_int_equal(starts(), 3);
}

static void test_backs_off(void **state)
{
	(void)state;
	fclose(fopen("fail", "w"));
	ask();
	ask();
	await(2);
	assert_int_equal(lab->known, 0);
	assert_non_null(strstr(lab->error, "ended with status 1"));
	ask(); /* not before a second has passed */
	await(3);
	assert_int_equal(starts(), 1);
	clock_set_pass(&lab->clock, CLOCK_SEC);
	ask();
	await(4);
	assert_int_equal(starts(), 2);
	unlink("fail");
	clock_set_pass(&lab->clock, CLOCK_SEC);
	ask();
	await(5);
	assert_int_equal(starts(), 2); /* two seconds now */
	clock_set_pass(&lab->clock, CLOCK_SEC);
	ask();
	await(6);
	assert_int_equal(lab->known, 1);
	assert_int_equal(starts(), 3);
}

static void test_a_failed_renewal_leaves_the_old_one(void **state)
{
	(void)state;
	ask();
	await(1);
	fclose(fopen("fail", "w"));
	clock_set_pass(&lab->clock, 80 * CLOCK_SEC);
	ask();
	await(2);
	await_start(2);
	ask();
	await(3);
	assert_string_equal(lab->secret, "token-1");
	clock_set_pass(&lab->clock, 20 * CLOCK_SEC);
	ask();
	await(4);
	assert_int_equal(lab->known, 3);
}

static void test_stopped(void **state)
{
	(void)state;
	ask();
	fetch_stop(lab->fetch); /* before it was received */
	ask();
	await(2);
	assert_int_equal(lab->known, 0);
	assert_string_equal(lab->error, "the daemon stops");
	fetch_refused(lab->fetch, "p", 1);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, enter, leave)
	const struct CMUnitTest tests[] = {
		EACH(test_all_share_one), EACH(test_renewed_ahead),
		EACH(test_refused),       EACH(test_backs_off),
		EACH(test_stopped),       EACH(test_a_failed_renewal_leaves_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
