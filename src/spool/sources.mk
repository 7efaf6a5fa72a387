# SPDX-License-Identifier: ISC
spool_sources = \
	src/spool/apply.c \
	src/spool/count.c \
	src/spool/directory.c \
	src/spool/entry.c \
	src/spool/environment.c \
	src/spool/id.c \
	src/spool/keys.c \
	src/spool/names.c \
	src/spool/news.c \
	src/spool/private.h \
	src/spool/quota.c \
	src/spool/read.c \
	src/spool/reader.c \
	src/spool/reader_inbox.c \
	src/spool/records.c \
	src/spool/remove.c \
	src/spool/request.c \
	src/spool/rows.c \
	src/spool/sieve.c \
	src/spool/spool.h \
	src/spool/values.c \
	src/spool/write.c \
	src/spool/writer.c

EXTRA_DIST += src/spool/README.md
