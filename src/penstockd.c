/* SPDX-License-Identifier: ISC */
/* penstockd.c - the daemon: options, privileges, threads and their orderly stop. */
#include "config.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts(PACKAGE_STRING);
		return 0;
	}
	fputs("usage: penstockd --version\n", stderr);
	return 64;
}
