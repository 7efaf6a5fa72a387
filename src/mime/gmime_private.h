/* SPDX-License-Identifier: ISC */
/* gmime_private.h - for those files of mime/ that speak to GMime. */
#ifndef MIME_GMIME_PRIVATE_H
#define MIME_GMIME_PRIVATE_H

#include <gmime/gmime.h>

#include "mime/private.h"

/* stream.c: what the effort reads, seekable, read only. It must outlive the stream. */
GMimeStream *effort_stream(struct effort *e);

/* Before anything of GMime is used, by any thread. */
void gmime_begin(void);

#endif
