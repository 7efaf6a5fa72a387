# SPDX-License-Identifier: ISC
# Text scripts (client says, server says, time passes) run over paired streams and a set clock.
dialogue_scripts = \
	tests/dialogue/inbound/full.txt \
	tests/dialogue/inbound/long-line.txt \
	tests/dialogue/inbound/message.txt \
	tests/dialogue/inbound/pipelined.txt \
	tests/dialogue/inbound/silent.txt \
	tests/dialogue/inbound/starttls-injection.txt \
	tests/dialogue/inbound/starttls.txt \
	tests/dialogue/inbound/store-fails.txt \
	tests/dialogue/outbound/busy.txt \
	tests/dialogue/outbound/login-cram-md5.txt \
	tests/dialogue/outbound/login-nothing-fits.txt \
	tests/dialogue/outbound/login-oauthbearer.txt \
	tests/dialogue/outbound/login-scram-cheat.txt \
	tests/dialogue/outbound/login-token-overlooked.txt \
	tests/dialogue/outbound/login-xoauth2.txt \
	tests/dialogue/outbound/login.txt \
	tests/dialogue/outbound/lost.txt \
	tests/dialogue/outbound/message.txt \
	tests/dialogue/outbound/recipients.txt \
	tests/dialogue/outbound/rubbish.txt \
	tests/dialogue/outbound/silent.txt \
	tests/dialogue/outbound/starttls-refused.txt

test_programs += tests/dialogue/run
tests_dialogue_run_SOURCES = \
	tests/dialogue/engine.h \
	tests/dialogue/inbound.c \
	tests/dialogue/outbound.c \
	tests/dialogue/run.c \
	tests/dialogue/script.c \
	tests/dialogue/script.h
tests_dialogue_run_LDADD = src/libpenstock.a $(PENSTOCK_DEPS_LIBS)

TESTS += tests/dialogue/all
EXTRA_DIST += tests/dialogue/all tests/dialogue/README.md tests/dialogue/receive tests/dialogue/transport \
	$(dialogue_scripts)
