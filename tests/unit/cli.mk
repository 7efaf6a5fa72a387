# SPDX-License-Identifier: ISC
# What the command alone uses is not in libpenstock.a.
unit_programs += \
	tests/unit/test_cli_message \
	tests/unit/test_cli_sendmail_options

tests_unit_test_cli_message_SOURCES = tests/unit/test_cli_message.c src/cli/message.c
tests_unit_test_cli_sendmail_options_SOURCES = tests/unit/test_cli_sendmail_options.c \
	src/cli/sendmail_options.c
