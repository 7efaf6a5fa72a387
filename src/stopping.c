/* SPDX-License-Identifier: ISC */
/* stopping.c - the orderly end, as stages of the main thread.
 *
 * Draining: listeners are closed, sessions leave between transactions, no new grants. Ending:
 * sessions end, connections after what is in flight. Abandoning: connections end now. Then the loop
 * stops and daemon.c takes the parts down. Nothing is polled: workers and dispatcher tell.
 */
#include "base/log.h"
#include "dispatcher.h"
#include "notify.h"
#include "service.h"
#include "worker.h"

/* After stop-timeout: how long connections may take to say QUIT, then how long what came
 * back from them may take to be recorded. */
#define QUIT_PATIENCE_US   (5 * CLOCK_SEC)
#define RECORD_PATIENCE_US (10 * CLOCK_SEC)
/* New clients wait for the end of a reload: not longer than the greeting of a busy server takes. */
#define RELOAD_PATIENCE_US (10 * CLOCK_SEC)

/* Between the 250 of the last message of --exit-after and 421: programs that send mail take a 421
 * in answer to QUIT for a failure. */
#define LAST_WORDS_US (200 * CLOCK_MS)

static void stage_enter(struct service *s, enum stage next, int64_t patience_us)
{
	static const char *const names[] = {
		[STAGE_RUNNING] = "running", [STAGE_DRAINING] = "draining",
		[STAGE_ENDING] = "ending",   [STAGE_ABANDONING] = "abandoning",
		[STAGE_CLOSED] = "closed",
	};

	log_debug("stopping stage=%s", names[next]);
	s->stage = next;
	timer_start(&s->patience, patience_us);
}

static void begin_ending(struct service *s)
{
	stage_enter(s, STAGE_ENDING, QUIT_PATIENCE_US);
	for (size_t i = 0; i < s->daemon.worker_count; i++)
		worker_end(s->daemon.workers[i]);
}

static void begin_closed(struct service *s)
{
	s->stage = STAGE_CLOSED;
	timer_stop(&s->patience);
	loop_stop(s->loop);
}

/* Whatever was awaited has come, or patience is over. */
static void advance(struct service *s, bool patience_over)
{
	bool sessions_gone = s->drained == s->daemon.worker_count;
	bool quiet = s->quiet == s->daemon.worker_count;

	if (s->stage == STAGE_DRAINING && ((sessions_gone && s->idle) || patience_over))
		begin_ending(s);
	else if (s->stage >= STAGE_ENDING && quiet && s->idle)
		begin_closed(s);
	else if (s->stage == STAGE_ENDING && patience_over) {
		stage_enter(s, STAGE_ABANDONING, RECORD_PATIENCE_US);
		for (size_t i = 0; i < s->daemon.worker_count; i++)
			worker_abandon(s->daemon.workers[i]);
	} else if (s->stage == STAGE_ABANDONING && patience_over) {
		log_warning("stop incomplete: what is in flight will be found as claims at the "
		            "next start");
		begin_closed(s);
	}
}

void stop_soon_over(void *context)
{
	stop_begin(context, "exit-after");
}

void stop_soon(struct service *s)
{
	if (s->stage != STAGE_RUNNING)
		return;
	prepare_close(s);
	timer_start(&s->soon, LAST_WORDS_US);
}

/* An impatient operator does not wait for stop-timeout; what connections did is still recorded. */
void stop_hurry(struct service *s)
{
	if (s->stage != STAGE_DRAINING && s->stage != STAGE_ENDING)
		return;
	log_info("stopping at once: asked again");
	advance(s, true);
}

void stop_patience_over(void *context)
{
	advance(context, true);
}

void stop_drained(void *context, size_t number)
{
	struct service *s = context;

	(void)number;
	s->drained++;
	advance(s, false);
}

void stop_quiet(void *context, size_t number)
{
	struct service *s = context;

	(void)number;
	s->quiet++;
	advance(s, false);
}

void stop_idle(void *context)
{
	struct service *s = context;

	s->idle = true;
	advance(s, false);
}

void stop_begin(struct service *s, const char *why)
{
	int64_t patience = s->daemon.settings->stop_timeout_us;

	if (s->stage != STAGE_RUNNING)
		return;
	timer_stop(&s->soon);
	timer_stop(&s->tidy);
	log_info("stopping reason=%s", why);
	if (s->keep && patience > RELOAD_PATIENCE_US)
		patience = RELOAD_PATIENCE_US;
	if (!s->keep)
		notify("STOPPING=1");
	prepare_close(s);
	stage_enter(s, STAGE_DRAINING, patience);
	for (size_t i = 0; i < s->daemon.worker_count; i++)
		worker_drain(s->daemon.workers[i]);
	dispatcher_drain(s->daemon.dispatcher);
}
