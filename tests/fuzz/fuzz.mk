# SPDX-License-Identifier: ISC
# One target per parser and engine; each replays its seeds and changes of them in make check, more
# changes with LONG=yes. tests/fuzz/run NAME lets libFuzzer work on one (clang).
fuzz_programs = \
	tests/fuzz/fuzz_address \
	tests/fuzz/fuzz_dot \
	tests/fuzz/fuzz_encodings \
	tests/fuzz/fuzz_header \
	tests/fuzz/fuzz_log \
	tests/fuzz/fuzz_login \
	tests/fuzz/fuzz_proxy \
	tests/fuzz/fuzz_records \
	tests/fuzz/fuzz_reply \
	tests/fuzz/fuzz_search \
	tests/fuzz/fuzz_session \
	tests/fuzz/fuzz_transport

if WITH_INBOX
fuzz_programs += tests/fuzz/fuzz_mime
endif

fuzz_replay = tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c $(fuzz_replay)
tests_fuzz_fuzz_dot_SOURCES = tests/fuzz/fuzz_dot.c $(fuzz_replay) \
	tests/fuzz/dot_reference.c tests/fuzz/dot_reference.h
tests_fuzz_fuzz_encodings_SOURCES = tests/fuzz/fuzz_encodings.c $(fuzz_replay)
tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz_header.c $(fuzz_replay)
tests_fuzz_fuzz_log_SOURCES = tests/fuzz/fuzz_log.c $(fuzz_replay)
tests_fuzz_fuzz_mime_SOURCES = tests/fuzz/fuzz_mime.c $(fuzz_replay)
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c $(fuzz_replay)
tests_fuzz_fuzz_login_SOURCES = tests/fuzz/fuzz_login.c $(fuzz_replay)
tests_fuzz_fuzz_records_SOURCES = tests/fuzz/fuzz_records.c $(fuzz_replay)
tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c $(fuzz_replay)
tests_fuzz_fuzz_search_SOURCES = tests/fuzz/fuzz_search.c $(fuzz_replay)
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c $(fuzz_replay) $(receive_server)
tests_fuzz_fuzz_transport_SOURCES = tests/fuzz/fuzz_transport.c $(fuzz_replay)

test_programs += $(fuzz_programs)
TESTS += $(fuzz_programs)
EXTRA_DIST += tests/fuzz/fuzz_mime.c tests/fuzz/run tests/fuzz/seeds \
	tests/fuzz/address.dict tests/fuzz/dot.dict tests/fuzz/header.dict tests/fuzz/login.dict tests/fuzz/mime.dict tests/fuzz/proxy.dict tests/fuzz/reply.dict \
	tests/fuzz/search.dict \
	tests/fuzz/session.dict \
	tests/fuzz/transport.dict
