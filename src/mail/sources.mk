# SPDX-License-Identifier: ISC
mail_sources = \
	src/mail/address.c src/mail/address.h \
	src/mail/dialogue.c src/mail/dialogue.h \
	src/mail/dot.c src/mail/dot.h \
	src/mail/envelope.c src/mail/envelope.h \
	src/mail/header.c src/mail/header.h \
	src/mail/header_addresses.c \
	src/mail/header_text.c src/mail/header_text.h \
	src/mail/id.c src/mail/id.h \
	src/mail/reply.c src/mail/reply.h \
	src/mail/trace.c src/mail/trace.h \
	src/mail/xtext.c src/mail/xtext.h
