/* SPDX-License-Identifier: ISC */
/* faults.c - a set of faults: which of them happens, and how often it has. */
#include "receive/faults.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"

struct rule {
	struct fault fault;
	_Atomic uint64_t seen, happened;
};

struct faults {
	_Atomic size_t references;
	struct rule *rules;
	size_t count;
	struct rule chaos[CHAOS_TRIGGERS];
};

/* ---- words ------------------------------------------------------------------ */

static const char *const stage_names[] = {
	[FAULT_CONNECT] = "connect", [FAULT_HELO] = "helo", [FAULT_AUTH] = "auth",
	[FAULT_MAIL] = "mail",       [FAULT_RCPT] = "rcpt", [FAULT_DATA] = "data",
};
static const char *const action_names[] = {
	[FAULT_REPLY] = "reply",
	[FAULT_DISCONNECT] = "disconnect",
	[FAULT_SLOW] = "slow",
};

const char *fault_stage_name(enum fault_stage stage)
{
	return stage_names[stage];
}

const char *fault_action_name(enum fault_action action)
{
	return action_names[action];
}

static bool name_find(const char *const *names, size_t count, const char *name, size_t *place_r)
{
	for (*place_r = 0; *place_r < count; ++*place_r)
		if (strcmp(names[*place_r], name) == 0)
			return true;
	return false;
}

bool fault_stage_find(const char *name, enum fault_stage *stage_r)
{
	size_t place;
	bool found = name_find(stage_names, FAULT_STAGES, name, &place);

	*stage_r = found ? (enum fault_stage)place : FAULT_CONNECT;
	return found;
}

bool fault_action_find(const char *name, enum fault_action *action_r)
{
	size_t place;
	bool found = name_find(action_names, FAULT_ACTIONS, name, &place);

	*action_r = found ? (enum fault_action)place : FAULT_REPLY;
	return found;
}

/* It is said on one line of SMTP. */
static bool is_text(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

const char *fault_problem(const struct fault *f)
{
	if (f->code != 0 && (f->code < 400 || f->code > 599))
		return "Code: write a number from 400 to 599";
	if (f->probability > 100)
		return "Probability: write a number from 0 to 100";
	if (f->delay_us < 0 || f->delay_us > FAULT_DELAY_MAX)
		return "Delay: write a duration up to 10min, such as 2s";
	if (f->skip > FAULT_COUNT_MAX || f->count > FAULT_COUNT_MAX)
		return "Count, Skip: write a number";
	if (f->text != NULL && (strlen(f->text) > FAULT_TEXT_MAX || !is_text(f->text)))
		return "Text: write one line of ASCII, at most 400 characters";
	if (f->sender != NULL && f->stage < FAULT_MAIL)
		return "Sender: is known from the stage mail on";
	if (f->recipient != NULL && f->stage < FAULT_RCPT)
		return "Recipient: is known from the stage rcpt on";
	if (f->action == FAULT_DISCONNECT && (f->code != 0 || f->text != NULL))
		return "Action: disconnect says nothing, it goes without Code and Text";
	if (f->action == FAULT_REPLY && f->code == 0 && f->delay_us == 0)
		return "write a Code, a Delay or an Action";
	if (f->text != NULL && f->code == 0)
		return "Text: goes with a Code";
	return NULL;
}

void fault_release(struct fault *f)
{
	free(f->sender);
	free(f->recipient);
	free(f->text);
	memset(f, 0, sizeof *f);
}

/* ---- the set ------------------------------------------------------------------ */

static const struct {
	enum fault_stage stage;
	unsigned code;
	const char *text;
} chaos_rules[CHAOS_TRIGGERS] = {
	[CHAOS_SENDER] = { FAULT_MAIL, 451, "Chaos sender error" },
	[CHAOS_RECIPIENT] = { FAULT_RCPT, 451, "Chaos recipient error" },
	[CHAOS_AUTHENTICATION] = { FAULT_AUTH, 535, "Chaos authentication error" },
};

struct chaos chaos_default(size_t trigger)
{
	return (struct chaos){ .code = chaos_rules[trigger].code };
}

struct faults *faults_new(struct fault *rules, size_t count,
                          const struct chaos chaos[CHAOS_TRIGGERS])
{
	struct faults *faults = memory_new(sizeof *faults);

	atomic_init(&faults->references, 1);
	faults->rules = memory_new_array(count, sizeof *faults->rules);
	faults->count = count;
	for (size_t i = 0; i < count; i++)
		faults->rules[i].fault = rules[i];
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++)
		faults->chaos[i].fault = (struct fault){
			.stage = chaos_rules[i].stage,
			.code = chaos[i].code,
			.text = memory_text(chaos_rules[i].text),
			.probability = chaos[i].probability,
		};
	return faults;
}

static char *copy(const char *text)
{
	return text != NULL ? memory_text(text) : NULL;
}

struct faults *faults_with_chaos(const struct faults *from,
                                 const struct chaos chaos[CHAOS_TRIGGERS])
{
	size_t count = from != NULL ? from->count : 0;
	struct fault *rules = memory_new_array(count, sizeof *rules);
	struct faults *faults;

	for (size_t i = 0; i < count; i++) {
		rules[i] = from->rules[i].fault;
		rules[i].sender = copy(rules[i].sender);
		rules[i].recipient = copy(rules[i].recipient);
		rules[i].text = copy(rules[i].text);
	}
	faults = faults_new(rules, count, chaos);
	for (size_t i = 0; i < count; i++) {
		atomic_store(&faults->rules[i].seen, atomic_load(&from->rules[i].seen));
		atomic_store(&faults->rules[i].happened, atomic_load(&from->rules[i].happened));
	}
	free(rules);
	return faults;
}

struct faults *faults_share(struct faults *faults)
{
	if (faults != NULL)
		atomic_fetch_add(&faults->references, 1);
	return faults;
}

void faults_free(struct faults **faults_p)
{
	struct faults *faults = *faults_p;

	*faults_p = NULL;
	if (faults == NULL || atomic_fetch_sub(&faults->references, 1) != 1)
		return;
	for (size_t i = 0; i < faults->count; i++)
		fault_release(&faults->rules[i].fault);
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++)
		fault_release(&faults->chaos[i].fault);
	free(faults->rules);
	free(faults);
}

size_t faults_count(const struct faults *faults)
{
	return faults->count;
}

const struct fault *faults_rule(const struct faults *faults, size_t i)
{
	return &faults->rules[i].fault;
}

uint64_t faults_happened(const struct faults *faults, size_t i)
{
	return atomic_load(&faults->rules[i].happened);
}

struct chaos faults_chaos(const struct faults *faults, size_t trigger)
{
	const struct fault *f = &faults->chaos[trigger].fault;

	return (struct chaos){ .code = f->code, .probability = f->probability };
}

/* ---- which one happens ------------------------------------------------------------ */

static bool matches(const struct fault *f, const struct fault_case *at)
{
	if (f->stage != at->stage)
		return false;
	if (f->sender != NULL && (at->sender == NULL || !address_matches(at->sender, f->sender)))
		return false;
	if (f->recipient == NULL)
		return true;
	if (at->recipient != NULL)
		return address_matches(at->recipient, f->recipient);
	for (size_t i = 0; i < at->recipient_count; i++)
		if (address_matches(&at->recipients[i].address, f->recipient))
			return true;
	return false;
}

static bool by_chance(unsigned percent)
{
	uint32_t random;

	if (percent == 0 || percent >= 100)
		return percent != 0;
	digest_random(&random, sizeof random);
	return random % 100 < percent;
}

/* Whether it is its turn; counted then. */
static bool happens(struct rule *r)
{
	uint64_t before;

	if (r->fault.skip > 0 && atomic_fetch_add(&r->seen, 1) < r->fault.skip)
		return false;
	if (!by_chance(r->fault.probability))
		return false;
	before = atomic_load(&r->happened);
	do {
		if (r->fault.count > 0 && before >= r->fault.count)
			return false;
	} while (!atomic_compare_exchange_weak(&r->happened, &before, before + 1));
	return true;
}

const struct fault *faults_find(struct faults *faults, const struct fault_case *at)
{
	for (size_t i = 0; i < faults->count; i++)
		if (matches(&faults->rules[i].fault, at) && happens(&faults->rules[i]))
			return &faults->rules[i].fault;
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++)
		if (matches(&faults->chaos[i].fault, at) && happens(&faults->chaos[i]))
			return &faults->chaos[i].fault;
	return NULL;
}
