/* SPDX-License-Identifier: ISC */
/* credentials.h - a worker's way from its connections to fetch/, and back. */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include "fetch/fetch.h"
#include "transport/transport.h"

struct credentials {
	struct secret_source source; /* for struct transport */
	struct fetch *fetch;
	struct channel *home; /* the worker's */
};

void credentials_init(struct credentials *credentials, struct fetch *fetch, struct channel *home);

#endif
