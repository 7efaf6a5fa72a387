# SPDX-License-Identifier: ISC
unit_programs += \
	tests/unit/test_fold \
	tests/unit/test_inbox_print \
	tests/unit/test_intake \
	tests/unit/test_search \
	tests/unit/test_search_date \
	tests/unit/test_summary

tests_unit_test_search_SOURCES = tests/unit/test_search.c $(spool_lab)
