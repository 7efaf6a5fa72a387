/* SPDX-License-Identifier: ISC */
/* test_listener.c - what can be bound, what an operator is told, accepting, pausing, running out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listener.h"

#define TAKEN_MAX 256

struct taking {
	struct loop *loop;
	struct listener *listener;
	int fds[TAKEN_MAX];
	int count;
	int pause_at, free_at; /* 0: never */
	int warnings;
};

static void taken(void *context, int fd)
{
	struct taking *t = context;

	assert_true(t->count < TAKEN_MAX);
	t->fds[t->count++] = fd;
	if (t->count == t->pause_at)
		listener_pause(t->listener);
	if (t->count == t->free_at)
		listener_free(&t->listener);
}

static uint16_t taking_init(struct taking *t)
{
	struct bytes error = { 0 };
	int fd = listener_bind_tcp("127.0.0.1", 0, &error);
	uint16_t port;

	assert_string_equal(bytes_text(&error), "");
	assert_true(fd >= 0);
	port = listener_port(fd);
	*t = (struct taking){ .loop = loop_new(clock_system()) };
	t->listener = listener_new(t->loop, fd, taken, t);
	bytes_release(&error);
	return port;
}

static void taking_release(struct taking *t)
{
	while (t->count > 0)
		close(t->fds[--t->count]);
	listener_free(&t->listener);
	loop_free(&t->loop);
}

static int client(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void test_accepted_sockets_are_ready_for_use(void **state)
{
	struct taking t;
	uint16_t port = taking_init(&t);
	int fd = client(port), on = 0;
	socklen_t length = sizeof on;

	(void)state;
	loop_turn(t.loop, true);
	assert_int_equal(t.count, 1);
	assert_true(fcntl(t.fds[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(t.fds[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(t.fds[0], IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
	assert_true(on != 0);
	close(fd);
	taking_release(&t);
}

static void test_a_turn_takes_a_bounded_number(void **state)
{
	struct taking t;
	uint16_t port = taking_init(&t);
	int fds[100];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		fds[i] = client(port);
	loop_turn(t.loop, true);
	assert_in_range(t.count, 1, 64);
	while (t.count < 100)
		loop_turn(t.loop, true);
	for (size_t i = 0; i < 100; i++)
		close(fds[i]);
	taking_release(&t);
}

static void test_pause_leaves_the_rest_in_the_backlog(void **state)
{
	struct taking t;
	uint16_t port = taking_init(&t);
	int fds[5];

	(void)state;
	t.pause_at = 2;
	for (size_t i = 0; i < 5; i++)
		fds[i] = client(port);
	loop_turn(t.loop, true);
	loop_turn(t.loop, false);
	assert_int_equal(t.count, 2);
	listener_resume(t.listener);
	while (t.count < 5)
		loop_turn(t.loop, true);
	for (size_t i = 0; i < 5; i++)
		close(fds[i]);
	taking_release(&t);
}

static void test_freed_while_accepting(void **state)
{
	struct taking t;
	uint16_t port = taking_init(&t);
	int fds[3];

	(void)state;
	t.free_at = 2;
	for (size_t i = 0; i < 3; i++)
		fds[i] = client(port);
	loop_turn(t.loop, true);
	assert_int_equal(t.count, 2);
	assert_null(t.listener);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	taking_release(&t);
}

static void count_warning(void *context, enum log_level level, const char *line)
{
	struct taking *t = context;

	t->warnings += level == LOG_LEVEL_WARNING && strstr(line, "accepting waits") != NULL;
}

static void test_out_of_descriptors_waits_without_spinning(void **state)
{
	struct taking t;
	uint16_t port = taking_init(&t);
	struct rlimit old, low;
	int fd = client(port), spare = dup(fd);
	unsigned long before;

	(void)state;
	log_capture(count_warning, &t);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)spare; /* every descriptor below is in use, or was opened before */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (t.warnings == 0 && t.count == 0)
		loop_turn(t.loop, true);
	/* Now only the pause's timer wakes the loop, and tells nothing again. */
	before = loop_turns(t.loop);
	loop_turn(t.loop, true);
	loop_turn(t.loop, true);
	assert_int_equal(t.warnings, 1);
	assert_int_equal(loop_turns(t.loop) - before, 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (t.count == 0)
		loop_turn(t.loop, true);
	log_capture(NULL, NULL);
	close(spare);
	close(fd);
	taking_release(&t);
}

static void test_busy_port_names_the_cure(void **state)
{
	struct bytes error = { 0 };
	int first = listener_bind_tcp("127.0.0.1", 0, &error), second;
	char port[16];

	(void)state;
	assert_true(first >= 0);
	second = listener_bind_tcp("127.0.0.1", listener_port(first), &error);
	assert_int_equal(second, -1);
	snprintf(port, sizeof port, "port %u", listener_port(first));
	assert_non_null(strstr(bytes_text(&error), port));
	assert_non_null(strstr(bytes_text(&error), "choose another port"));
	bytes_release(&error);
	close(first);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *address;
		const char *error; /* NULL: can be bound */
	} rows[] = {
		{ "localhost", NULL },
		{ "127.0.0.1", NULL },
		{ "0.0.0.0", NULL },
		{ "192.0.2.1", "no address 192.0.2.1" },
		{ "no-such-host.invalid", "cannot listen on 'no-such-host.invalid'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes error = { 0 };
		int fd = listener_bind_tcp(rows[i].address, 0, &error);

		assert_int_equal(fd >= 0, rows[i].error == NULL);
		if (rows[i].error != NULL)
			assert_non_null(strstr(bytes_text(&error), rows[i].error));
		if (fd >= 0)
			close(fd);
		bytes_release(&error);
	}
}

static void test_unix_socket_is_replaced_only_when_abandoned(void **state)
{
	char directory[] = "/tmp/penstock-listener-XXXXXX", path[64];
	struct bytes error = { 0 };
	struct stat st;
	int first, second;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/smtp.sock", directory);
	first = listener_bind_unix(path, 0600, &error);
	assert_true(first >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(listener_bind_unix(path, 0666, &error), -1);
	assert_non_null(strstr(bytes_text(&error), "is in use"));
	close(first); /* as by kill -9: the path stays */
	second = listener_bind_unix(path, 0666, &error);
	assert_true(second >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	close(second);
	unlink(path);
	/* Whatever is no socket is not touched. */
	second = open(path, O_CREAT | O_WRONLY, 0600);
	close(second);
	bytes_clear(&error);
	assert_int_equal(listener_bind_unix(path, 0600, &error), -1);
	assert_non_null(strstr(bytes_text(&error), "not a socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	rmdir(directory);
	bytes_release(&error);
}

static void test_unix_path_length(void **state)
{
	char path[200];
	struct bytes error = { 0 };

	(void)state;
	memset(path, 'a', sizeof path);
	path[sizeof path - 1] = '\0';
	assert_int_equal(listener_bind_unix(path, 0600, &error), -1);
	assert_non_null(strstr(bytes_text(&error), "199 octets"));
	assert_int_equal(listener_bind_unix("", 0600, &error), -1);
	bytes_release(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted_sockets_are_ready_for_use),
		cmocka_unit_test(test_a_turn_takes_a_bounded_number),
		cmocka_unit_test(test_pause_leaves_the_rest_in_the_backlog),
		cmocka_unit_test(test_freed_while_accepting),
		cmocka_unit_test(test_out_of_descriptors_waits_without_spinning),
		cmocka_unit_test(test_busy_port_names_the_cure),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_unix_socket_is_replaced_only_when_abandoned),
		cmocka_unit_test(test_unix_path_length),
	};

	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
