/* SPDX-License-Identifier: ISC */
/* examine_spool.c - opens a relay's spool as a start does, checks its tables, prints what it holds.
 *
 * Each message is a line "ID OCTETS" and its body. Ends with 0, or says what is wrong.
 */
#include <stdio.h>

#include "../unit/spool_lab.h"
#include "base/memory.h"
#include "mail/id.h"

static int wrong(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return 1;
}

static int print_message(struct reader *reader, uint64_t id)
{
	struct message_facts facts;
	char name[ID_TEXT_SIZE], octets[65536];
	size_t got = 1;
	uint64_t at = 0;

	if (!reader_message(reader, id, &facts))
		return wrong("a message is listed and not there");
	id_format(id, name);
	printf("%s %llu\n", name, (unsigned long long)facts.size);
	while (got > 0 && reader_body(reader, facts.blob, at, octets, sizeof(octets), &got) == 0) {
		fwrite(octets, 1, got, stdout);
		at += got;
	}
	if (at != facts.size)
		return wrong("a body is not as long as its message says");
	message_facts_release(&facts);
	return 0;
}

int main(int argc, char **argv)
{
	struct spool_options options = { .max_size = UINT64_C(1) << 30, .mode = SPOOL_RELAY };
	struct bytes error = { 0 };
	struct spool *spool;
	struct reader *reader;
	const char *bad;
	uint64_t id = 0;
	int status = 0;

	if (argc != 2)
		return wrong("usage: examine_spool DIRECTORY");
	options.path = argv[1];
	if (spool_open(&spool, &options, &error) != 0)
		return wrong(bytes_text(&error));
	bad = lab_check(spool);
	if (bad != NULL)
		return wrong(bad);
	reader = reader_new(spool);
	while (status == 0 && reader_messages(reader, id, &id, 1) == 1)
		status = print_message(reader, id);
	reader_free(&reader);
	spool_close(&spool);
	return status;
}
