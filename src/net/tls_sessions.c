/* SPDX-License-Identifier: ISC */
/* tls_sessions.c - sessions that a client may resume, so that a further connection is cheap.
 *
 * They belong to a context and so to one provider and what it demands; the threads that share it
 * take turns by a mutex. Kept are only those of a peer that was verified, each is used once (a
 * ticket that is seen twice tells who comes back, RFC 8446 C.4), for the name it was made for.
 */
#include "net/tls_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

/* Of one provider: as many as connections are opened at once; a server sends two a connection. */
#define SESSIONS_MAX 32
/* Seconds: who was verified so long ago is verified again. */
#define SESSION_AGE  3600

struct kept {
	SSL_SESSION *session;
	char *name;
};

/* The newest is the last. */
struct sessions {
	pthread_mutex_t mutex;
	struct kept kept[SESSIONS_MAX];
	size_t count;
};

static int sessions_index = -1;
static pthread_once_t sessions_once = PTHREAD_ONCE_INIT;

static void drop(struct sessions *s, size_t i)
{
	SSL_SESSION_free(s->kept[i].session);
	free(s->kept[i].name);
	s->count--;
	memmove(&s->kept[i], &s->kept[i + 1], (s->count - i) * sizeof s->kept[0]);
}

static void free_sessions(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                          void *argument)
{
	struct sessions *s = pointer;

	(void)parent;
	(void)data;
	(void)index;
	(void)number;
	(void)argument;
	if (s == NULL)
		return;
	while (s->count > 0)
		drop(s, s->count - 1);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

static void make_index(void)
{
	sessions_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_sessions);
}

static struct sessions *sessions_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), sessions_index);
}

/* 1: the session is ours now. */
static int keep(SSL *ssl, SSL_SESSION *session)
{
	struct sessions *s = sessions_of(ssl);
	const struct tls_peer *peer = SSL_get_app_data(ssl);

	if (SSL_get_verify_result(ssl) != X509_V_OK || peer->name == NULL ||
	    SSL_SESSION_is_resumable(session) == 0)
		return 0;
	pthread_mutex_lock(&s->mutex);
	if (s->count == SESSIONS_MAX)
		drop(s, 0);
	s->kept[s->count++] = (struct kept){ .session = session, .name = memory_text(peer->name) };
	pthread_mutex_unlock(&s->mutex);
	return 1;
}

void tls_sessions_install(SSL_CTX *ssl_context)
{
	struct sessions *s = memory_new(sizeof *s);

	pthread_once(&sessions_once, make_index);
	pthread_mutex_init(&s->mutex, NULL);
	SSL_CTX_set_ex_data(ssl_context, sessions_index, s);
	SSL_CTX_set_session_cache_mode(ssl_context,
	                               SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl_context, keep);
}

static bool is_fresh(const struct kept *kept)
{
	int64_t now = clock_wall(clock_system()) / CLOCK_SEC;
	int64_t made = SSL_SESSION_get_time(kept->session);

	return made <= now && now - made < SESSION_AGE;
}

void tls_sessions_resume(SSL *ssl)
{
	struct sessions *s = sessions_of(ssl);
	const struct tls_peer *peer = SSL_get_app_data(ssl);
	SSL_SESSION *session = NULL;

	if (s == NULL || peer->name == NULL)
		return;
	pthread_mutex_lock(&s->mutex);
	for (size_t i = s->count; i-- > 0 && session == NULL;) {
		if (!is_fresh(&s->kept[i])) {
			drop(s, i);
		} else if (strcmp(s->kept[i].name, peer->name) == 0) {
			session = s->kept[i].session;
			SSL_SESSION_up_ref(session);
			drop(s, i);
		}
	}
	pthread_mutex_unlock(&s->mutex);
	if (session != NULL)
		SSL_set_session(ssl, session);
	SSL_SESSION_free(session);
}
