/* SPDX-License-Identifier: ISC */
/* fuzz.h - what every fuzz target has: its entry, and a check that stays in any build. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

/* libFuzzer's entry; replay.c calls it too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

#define CHECK(truth)                                                                \
	do {                                                                        \
		if (!(truth)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #truth); \
			abort();                                                    \
		}                                                                   \
	} while (0)

/* No C0 control but `allowed` (0: none), no DEL. */
static inline bool is_clean(struct span text, char allowed)
{
	for (size_t i = 0; i < text.length; i++)
		if ((text.data[i] < 0x20 && text.data[i] != (unsigned char)allowed) ||
		    text.data[i] == 0x7f)
			return false;
	return true;
}

#endif
