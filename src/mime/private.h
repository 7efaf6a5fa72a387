/* SPDX-License-Identifier: ISC */
/* private.h - shared by the files of mime/ only. */
#ifndef MIME_PRIVATE_H
#define MIME_PRIVATE_H

#include "mime/mime.h"

#endif
