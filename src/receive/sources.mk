# SPDX-License-Identifier: ISC
receive_sources = \
	src/receive/accept.c \
	src/receive/admission.c \
	src/receive/auth.c \
	src/receive/bdat.c \
	src/receive/clients.c \
	src/receive/data.c \
	src/receive/faults.c \
	src/receive/faults.h \
	src/receive/lines.c \
	src/receive/login_cache.c \
	src/receive/mechanisms.c \
	src/receive/parameters.c \
	src/receive/play.c \
	src/receive/policy.c \
	src/receive/private.h \
	src/receive/rates.c \
	src/receive/record.c \
	src/receive/receive.h \
	src/receive/session.c \
	src/receive/submission.c \
	src/receive/terms.c \
	src/receive/users.c \
	src/receive/users.h \
	src/receive/verbs.c
