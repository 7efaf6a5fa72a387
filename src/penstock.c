/* SPDX-License-Identifier: ISC */
/* penstock.c - the operator's command, and sendmail(1) by another name. */
#include "config.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts(PACKAGE_STRING);
		return 0;
	}
	fputs("usage: penstock --version\n", stderr);
	return 64;
}
