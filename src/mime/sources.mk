# SPDX-License-Identifier: ISC
# What needs GMime is in the second list; absent.c stands for it when there is none.
mime_sources = \
	src/mime/decoder.c \
	src/mime/entities.c \
	src/mime/find.c \
	src/mime/gauge.c \
	src/mime/html.c \
	src/mime/index.c \
	src/mime/mime.h \
	src/mime/parse.c \
	src/mime/private.h \
	src/mime/release.c \
	src/mime/source.c \
	src/mime/text.c
if WITH_INBOX
mime_sources += \
	src/mime/build.c \
	src/mime/gmime_private.h \
	src/mime/stream.c \
	src/mime/walk.c
else
mime_sources += src/mime/absent.c
endif
EXTRA_DIST += src/mime/absent.c
