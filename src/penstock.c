/* SPDX-License-Identifier: ISC */
/* penstock.c - the operator's command, and sendmail(1) by another name.
 *
 * Finds the subcommand; options that all of them share are read here.
 */
#include "config.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

static const struct command {
	const char *name;
	int (*run)(const struct cli *cli, int argc, char **argv);
} commands[] = {
	{ "status", cli_status }, { "queue", cli_queue },   { "show", cli_show },
	{ "cat", cli_cat },       { "retry", cli_order },   { "hold", cli_order },
	{ "release", cli_order }, { "remove", cli_order },  { "send", cli_send },
	{ "reload", cli_reload }, { "stop", cli_stop },     { "sendmail", cli_sendmail },
	{ "login", cli_login },   { "inbox", cli_inbox },   { "dump", cli_dump },
	{ "ingest", cli_ingest }, { "readyz", cli_readyz },
};

static const char usage[] =
	"usage: penstock [--socket PATH] status | queue [FILTER] | show ID | cat ID\n"
	"                | retry ID... | hold ID... | release ID... | remove ID...\n"
	"                | reload | stop\n"
	"                | send --to ADDR [--from ADDR] [--subject TEXT] [--body TEXT]\n"
	"                | inbox [-i NAME] list | search QUERY | count | show ID | cat ID\n"
	"                                  | delete ID... | delete --all\n"
	"                | dump [-i NAME] DIR | ingest DIR|FILE... | readyz\n"
	"                | login [-f FILE] PROVIDER\n"
	"                | sendmail [-t] [-i] [-f ADDR] [-F NAME] [ADDR]...\n"
	"Listings and changes take --json. See penstock(1).\n";

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Takes --json and --socket PATH out of the words, wherever they stand but behind "sendmail", whose
 * words are its own: "--json" may be an address there. Returns how many are left, -1 on a --socket
 * without its path. */
static int take_shared(struct cli *cli, int argc, char **argv)
{
	int kept = 0;

	bool others = false; /* the words are another command's */

	for (int i = 0; i < argc; i++) {
		if (others)
			argv[kept++] = argv[i];
		else if (strcmp(argv[i], "--json") == 0)
			cli->json = true;
		else if (strncmp(argv[i], "--socket=", strlen("--socket=")) == 0)
			cli->socket = argv[i] + strlen("--socket=");
		else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc)
			cli->socket = argv[++i];
		else if (strcmp(argv[i], "--socket") == 0)
			return -1;
		else {
			others = kept == 1 && strcmp(argv[i], "sendmail") == 0;
			argv[kept++] = argv[i];
		}
	}
	argv[kept] = NULL;
	return kept;
}

static bool is_sendmail(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *name = slash == NULL ? argv0 : slash + 1;

	return strcmp(name, "sendmail") == 0 || strcmp(name, "penstock-sendmail") == 0 ||
	       strcmp(name, "mailq") == 0 || strcmp(name, "newaliases") == 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
	const struct command *command;

	if (is_sendmail(argv[0]))
		return cli_sendmail(cli, argc, argv);
	argc = take_shared(cli, argc, argv);
	if (argc < 2) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts(PACKAGE_STRING);
		return EX_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		fputs(usage, stdout);
		return EX_OK;
	}
	command = command_find(argv[1]);
	if (command == NULL) {
		fprintf(stderr, "penstock: no command '%s'\n%s", argv[1], usage);
		return EX_USAGE;
	}
	return command->run(cli, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	struct cli cli = { .socket = getenv("PENSTOCK_CONTROL") };
	int status;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	status = run(&cli, argc, argv);
	curl_global_cleanup();
	return status;
}
