# SPDX-License-Identifier: ISC
# The tests of src/spool/. Most have a spool of their own: spool_lab.h.
spool_lab = tests/unit/spool_lab.h tests/unit/spool_lab.c tests/unit/spool_check.c

unit_programs += \
	tests/unit/test_apply \
	tests/unit/test_environment \
	tests/unit/test_inbox_keep \
	tests/unit/test_inbox_rows \
	tests/unit/test_reader \
	tests/unit/test_records \
	tests/unit/test_remove \
	tests/unit/test_sieve \
	tests/unit/test_spool_crash \
	tests/unit/test_writer

tests_unit_test_apply_SOURCES = tests/unit/test_apply.c $(spool_lab)
tests_unit_test_environment_SOURCES = tests/unit/test_environment.c $(spool_lab)
tests_unit_test_inbox_keep_SOURCES = tests/unit/test_inbox_keep.c $(spool_lab)
tests_unit_test_inbox_rows_SOURCES = tests/unit/test_inbox_rows.c $(spool_lab)
tests_unit_test_reader_SOURCES = tests/unit/test_reader.c $(spool_lab)
tests_unit_test_sieve_SOURCES = tests/unit/test_sieve.c $(spool_lab)
tests_unit_test_remove_SOURCES = tests/unit/test_remove.c $(spool_lab)
tests_unit_test_writer_SOURCES = tests/unit/test_writer.c $(spool_lab)
tests_unit_test_spool_crash_SOURCES = tests/unit/test_spool_crash.c $(spool_lab)
