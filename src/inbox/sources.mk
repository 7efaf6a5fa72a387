# SPDX-License-Identifier: ISC
inbox_sources = \
	src/inbox/date.c \
	src/inbox/fold.c \
	src/inbox/follow.c \
	src/inbox/inbox.h \
	src/inbox/intake.c \
	src/inbox/json.c \
	src/inbox/labels.c \
	src/inbox/message.c \
	src/inbox/needle.c \
	src/inbox/output.c \
	src/inbox/print.c \
	src/inbox/private.h \
	src/inbox/query.c \
	src/inbox/rules.c \
	src/inbox/save.c \
	src/inbox/search.c \
	src/inbox/search_private.h \
	src/inbox/summarize.c \
	src/inbox/summary.c \
	src/inbox/view.c \
	src/inbox/zone.c
