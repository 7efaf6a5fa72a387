# unit_programs += tests/unit/test_NAME      (its source is tests/unit/test_NAME.c; more files: _SOURCES)
spool_lab = tests/unit/spool_lab.h tests/unit/spool_lab.c tests/unit/spool_check.c

unit_programs += tests/unit/test_apply
tests_unit_test_apply_SOURCES = tests/unit/test_apply.c $(spool_lab)
