/* SPDX-License-Identifier: ISC */
/* redirect.h - the loopback address to which a browser brings the answer of a consent page (RFC
 * 8252 7.3). */
#ifndef CLI_REDIRECT_H
#define CLI_REDIRECT_H

#include <stdint.h>

#include "base/bytes.h"

/* Listens on 127.0.0.1, at a port of the kernel's choice. Returns the socket, or -1 with errno. */
int redirect_listen(uint16_t *port_r);
/* Waits for the browser. 0 with the code; -1: the owner refused, or nobody came in time. Requests
 * that do not know `state` are turned away. */
int redirect_wait(int listener, const char *state, struct bytes *code_r, struct bytes *error);

#endif
