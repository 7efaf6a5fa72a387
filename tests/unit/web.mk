# SPDX-License-Identifier: ISC
# unit_programs += tests/unit/test_NAME      (its source is tests/unit/test_NAME.c; more files: _SOURCES)
