/* SPDX-License-Identifier: ISC */
/* metrics.c - GET metrics: our counters as Prometheus reads them, and with --catch the names that
 * Mailpit gives to what it has, too. */
#include <stdio.h>
#include <unistd.h>

#include "base/metric.h"
#include "web/private.h"

#define TYPE "text/plain; version=0.0.4; charset=utf-8"

static void append_head(struct bytes *out, const char *name, const char *help, bool gauge)
{
	bytes_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
	             gauge ? "gauge" : "counter");
}

static void append_value(struct bytes *out, const char *name, const char *help, bool gauge,
                         int64_t value)
{
	append_head(out, name, help, gauge);
	bytes_printf(out, "%s %lld\n", name, (long long)value);
}

/* ---- ours ------------------------------------------------------------------------- */

static void append_own(struct bytes *out)
{
	struct bytes name = { 0 };

	for (enum metric m = 0; m < METRIC_COUNT; m++) {
		bool gauge = metric_is_gauge(m);

		bytes_clear(&name);
		bytes_printf(&name, "penstock_%s%s", metric_name(m), gauge ? "" : "_total");
		append_value(out, bytes_text(&name), metric_help(m), gauge, metric_get(m));
	}
	bytes_release(&name);
}

/* ---- Mailpit's --------------------------------------------------------------------- */

/* What is ours alone: the spool's pages are the kernel's to take back. 0: it does not say. */
static int64_t memory_octets(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long long resident = 0, shared = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*d %lld %lld", &resident, &shared) != 2)
		resident = shared = 0;
	fclose(file);
	return (resident - shared) * sysconf(_SC_PAGESIZE);
}

static void append_label(void *context, const char *label, uint64_t count)
{
	struct bytes *out = context;

	bytes_append_text(out, "mailpit_tag_messages{tag=\"");
	for (; *label != '\0'; label++) {
		if (*label == '\\' || *label == '"')
			bytes_append_char(out, '\\');
		bytes_append_char(out, *label == '\n' ? ' ' : *label);
	}
	bytes_printf(out, "\"} %llu\n", (unsigned long long)count);
}

static void append_mailpit(struct call *call, struct bytes *out)
{
	struct web *web = call->web;
	int64_t up = clock_monotonic(web->options.clock) - web->started_us;
	struct inbox_counts inbox;
	struct spool_counts spool;

	reader_inbox_counts(web->reader, call->inbox, &inbox);
	reader_counts(web->reader, &spool);
	append_value(out, "mailpit_database_size_bytes", "Octets stored in the spool", true,
	             (int64_t)spool.octets);
	append_value(out, "mailpit_memory_usage_bytes", "Memory of the daemon", true,
	             memory_octets());
	append_value(out, "mailpit_messages", "Messages in the inbox", true,
	             (int64_t)inbox.entries);
	append_value(out, "mailpit_messages_deleted_total", "Messages deleted from the inbox",
	             false, (int64_t)inbox.removed);
	append_value(out, "mailpit_messages_unread", "Unread messages in the inbox", true,
	             (int64_t)inbox.unread);
	append_value(out, "mailpit_smtp_accepted_size_bytes_total",
	             "Octets of accepted message content", false,
	             metric_get(METRIC_BYTES_ACCEPTED));
	append_value(out, "mailpit_smtp_accepted_total", "Messages accepted", false,
	             metric_get(METRIC_MESSAGES_ACCEPTED));
	append_value(out, "mailpit_smtp_ignored_total", "Messages ignored: none ever", false, 0);
	append_value(out, "mailpit_smtp_rejected_total", "4yz and 5yz said to clients", false,
	             metric_get(METRIC_COMMANDS_REJECTED));
	append_head(out, "mailpit_tag_messages", "Messages of each tag", true);
	reader_inbox_labels(web->reader, call->inbox, append_label, out);
	append_value(out, "mailpit_uptime_seconds", "Since the start", true, up / CLOCK_SEC);
}

static void handle_metrics(struct call *call)
{
	struct bytes text = { 0 };

	if (call->web->options.settings->mode == MODE_CATCH)
		append_mailpit(call, &text);
	append_own(&text);
	answer_body(call, 200, TYPE, bytes_span(&text));
	bytes_release(&text);
}

const struct way metrics_ways[] = {
	{ EVHTTP_REQ_GET, "/metrics", handle_metrics, 0 },
	WAYS_END,
};
