# SPDX-License-Identifier: ISC
mime_sources = \
	src/mime/index.c \
	src/mime/mime.h \
	src/mime/private.h
