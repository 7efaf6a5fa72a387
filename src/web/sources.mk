# SPDX-License-Identifier: ISC
web_sources = \
	src/web/answer.c \
	src/web/auth.c \
	src/web/client.c \
	src/web/content.c \
	src/web/control.c \
	src/web/fault_rules.c \
	src/web/faults.c \
	src/web/faults.h \
	src/web/deposit.c \
	src/web/deposit.h \
	src/web/describe.c \
	src/web/feed.c \
	src/web/guard.c \
	src/web/guard.h \
	src/web/hub.c \
	src/web/hub.h \
	src/web/job.c \
	src/web/mailcatcher.c \
	src/web/mailpit.c \
	src/web/metrics.c \
	src/web/path.c \
	src/web/path.h \
	src/web/private.h \
	src/web/release.c \
	src/web/release.h \
	src/web/router.c \
	src/web/router.h \
	src/web/send.c \
	src/web/server.c \
	src/web/sessions.c \
	src/web/wait.c \
	src/web/web.h \
	src/web/websocket.c \
	src/web/websocket.h
