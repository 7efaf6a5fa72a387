# SPDX-License-Identifier: ISC
fetch_sources = \
	src/fetch/command.c \
	src/fetch/fetch.c \
	src/fetch/fetch.h \
	src/fetch/http.c \
	src/fetch/jwt.c \
	src/fetch/oauth2.c \
	src/fetch/oauth2.h \
	src/fetch/private.h \
	src/fetch/secret.c \
	src/fetch/token.c \
	src/fetch/work.c
