# SPDX-License-Identifier: ISC
web_sources = \
	src/web/content.c \
	src/web/control.c \
	src/web/describe.c \
	src/web/private.h \
	src/web/sessions.c \
	src/web/server.c \
	src/web/web.h \
	src/web/websocket.c \
	src/web/websocket.h
