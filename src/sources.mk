# SPDX-License-Identifier: ISC
# The two programs; everything else of src/ is in libpenstock.a.
penstockd_sources = \
	src/background.c \
	src/background.h \
	src/credentials.c \
	src/credentials.h \
	src/daemon.c \
	src/daemon.h \
	src/dispatcher.c \
	src/dispatcher.h \
	src/dispatcher_ports.c \
	src/dispatcher_private.h \
	src/kept.c \
	src/kept.h \
	src/notify.c \
	src/notify.h \
	src/logins.c \
	src/penstockd.c \
	src/prepare.c \
	src/reload.c \
	src/retention.c \
	src/retention.h \
	src/service.h \
	src/stopping.c \
	src/worker.c \
	src/worker.h \
	src/worker_outbound.c \
	src/worker_private.h \
	src/worker_store.c
penstock_sources = src/penstock.c
EXTRA_DIST += src/README.md
