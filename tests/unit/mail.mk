# SPDX-License-Identifier: ISC
unit_programs += \
	tests/unit/test_address \
	tests/unit/test_dialogue \
	tests/unit/test_dot \
	tests/unit/test_envelope \
	tests/unit/test_header \
	tests/unit/test_id \
	tests/unit/test_reply \
	tests/unit/test_trace \
	tests/unit/test_xtext

tests_unit_test_dot_SOURCES = tests/unit/test_dot.c \
	tests/fuzz/dot_reference.c tests/fuzz/dot_reference.h
