/* SPDX-License-Identifier: ISC */
/* play.c - a fault happens to a session: late, in other words, octet by octet, or to its end.
 *
 * Each stage asks once before it does what it would; what is delayed is done again by the way that
 * the stage names, with the answer no. Nothing waits but this session.
 */
#include "receive/private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "receive/faults.h"

/* Between octets, when the rule does not say: a reply takes some seconds. */
#define SLOW_PAUSE_US (CLOCK_SEC / 10)

struct play {
	struct session *session;
	struct timer timer;
	struct faults *set; /* whose fault it is */
	const struct fault *fault;
	struct fault_point point;
	enum session_state back; /* where the session was when it began to wait */
	bool slow;
	struct bytes line; /* the command to be run again */
	struct bytes out;  /* slow: what is not written yet */
	size_t written;
};

void play_free(struct session *s)
{
	struct play *p = s->play;

	if (p == NULL)
		return;
	s->play = NULL;
	timer_stop(&p->timer);
	faults_free(&p->set);
	bytes_release(&p->line);
	bytes_release(&p->out);
	free(p);
}

/* ---- octet by octet ------------------------------------------------------------ */

bool play_is_writing(const struct session *s)
{
	return s->play != NULL && s->play->written < s->play->out.length;
}

static int64_t pause_of(const struct fault *f)
{
	return f->delay_us > 0 ? f->delay_us : SLOW_PAUSE_US;
}

static void write_next(void *context)
{
	struct play *p = context;
	struct session *s = p->session;

	if (s->stream == NULL)
		return; /* nobody reads it */
	stream_write(s->stream, p->out.data + p->written++, 1);
	s->activity_us = session_now(s);
	if (p->written < p->out.length) {
		timer_start(&p->timer, pause_of(p->fault));
		return;
	}
	play_free(s);
	session_resume(s);
}

bool play_write(struct session *s, const void *data, size_t length)
{
	struct play *p = s->play;

	if (p == NULL || !p->slow)
		return false;
	bytes_append(&p->out, data, length);
	if (!timer_running(&p->timer))
		timer_start(&p->timer, pause_of(p->fault));
	return true;
}

/* ---- what happens ---------------------------------------------------------------- */

/* "4.2.2 Mailbox full": a text may begin with an enhanced code, if it fits the code. */
static bool has_enhanced(const struct fault *f)
{
	const char *t = f->text;
	size_t digits;

	if ((unsigned)(t[0] - '0') != f->code / 100)
		return false;
	for (int i = 0; i < 2; i++) {
		t = i == 0 ? t + 1 : t + 1 + digits;
		if (*t != '.')
			return false;
		for (digits = 0; isdigit((unsigned char)t[1 + digits]) && digits < 3;)
			digits++;
		if (digits == 0)
			return false;
	}
	return t[1 + digits] == ' ';
}

static void refuse(struct session *s)
{
	const struct play *p = s->play;
	const struct fault *f = p->fault;
	struct refusal refusal = { (int)f->code, f->code < 500 ? "4.0.0" : "5.0.0",
		                   f->text != NULL ? f->text : "A fault that was asked for" };
	char enhanced[16] = "";

	if (f->text != NULL && has_enhanced(f)) {
		memcpy(enhanced, f->text, strcspn(f->text, " "));
		refusal.enhanced = enhanced;
		refusal.text = f->text + strlen(enhanced) + 1;
	}
	p->point.refuse(s, &refusal);
}

/* The play may be over afterwards, and so may be the session. */
static void act(struct session *s)
{
	struct play *p = s->play;

	if (p->fault->action == FAULT_DISCONNECT)
		session_close(s, "a fault that was asked for");
	else if (p->fault->code > 0)
		refuse(s);
	else
		p->point.again(s); /* it asks again: no, while this is played */
	/* What is slow ends with its last octet. */
	if (!p->slow)
		play_free(s);
}

static void delay_over(void *context)
{
	struct play *p = context;
	struct session *s = p->session;

	session_enter(s, p->back);
	act(s);
	session_resume(s);
}

static const struct fault *find(const struct session *s, const struct fault_point *at)
{
	const struct fault_case now = {
		.stage = at->stage,
		.sender = at->sender != NULL                ? at->sender
		          : s->envelope.sender.text != NULL ? &s->envelope.sender
		                                            : NULL,
		.recipient = at->recipient,
		.recipients = s->envelope.recipients,
		.recipient_count = s->envelope.count,
	};

	return faults_find(s->receive->faults, &now);
}

static struct play *play_new(struct session *s, const struct fault *fault,
                             const struct fault_point *at)
{
	struct play *p = memory_new(sizeof *p);

	p->session = s;
	p->set = faults_share(s->receive->faults);
	p->fault = fault;
	p->point = *at;
	p->point.sender = p->point.recipient = NULL; /* the asker's */
	p->slow = fault->action == FAULT_SLOW;
	p->back = s->state;
	timer_init(&p->timer, s->receive->loop, p->slow ? write_next : delay_over, p);
	s->play = p;
	return p;
}

bool play_fault(struct session *s, const struct fault_point *at)
{
	const struct fault *fault;
	struct play *p;

	if (s->receive->faults == NULL || s->play != NULL)
		return false;
	fault = find(s, at);
	if (fault == NULL)
		return false;
	record_note(s, "a fault: %s at %s", fault_action_name(fault->action),
	            fault_stage_name(fault->stage));
	log_debug("fault stage=%s action=%s code=%u client=%s", fault_stage_name(fault->stage),
	          fault_action_name(fault->action), fault->code, stream_peer(s->stream));
	p = play_new(s, fault, at);
	if (p->slow && fault->code == 0)
		return false; /* the reply as it is */
	if (p->slow || fault->delay_us == 0) {
		act(s);
		return true;
	}
	if (at->again == verb_again)
		bytes_append_span(&p->line, s->line);
	session_enter(s, SESSION_FAULT);
	timer_start(&p->timer, fault->delay_us);
	return true;
}

void play_line(struct session *s, struct bytes *line)
{
	*line = s->play->line;
	memset(&s->play->line, 0, sizeof s->play->line);
}
