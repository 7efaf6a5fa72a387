# SPDX-License-Identifier: ISC
transport_sources = \
	src/transport/answer.c \
	src/transport/compose.c \
	src/transport/connection.c \
	src/transport/ehlo.c \
	src/transport/expect.c \
	src/transport/hints.c \
	src/transport/login.c \
	src/transport/opening.c \
	src/transport/outgoing.c \
	src/transport/private.h \
	src/transport/race.c \
	src/transport/reader.c \
	src/transport/sasl.c \
	src/transport/sasl.h \
	src/transport/scram.c \
	src/transport/transaction.c \
	src/transport/transport.h
