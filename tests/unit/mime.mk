# SPDX-License-Identifier: ISC
# The tests of src/mime/, and of what the inbox makes of it.
mime_text = tests/unit/mime_text.c tests/unit/mime_text.h

unit_programs += \
	tests/unit/test_charset \
	tests/unit/test_inbox_rules \
	tests/unit/test_mime_decoder \
	tests/unit/test_mime_index \
	tests/unit/test_mime_text
if WITH_INBOX
unit_programs += \
	tests/unit/test_inbox_message \
	tests/unit/test_mime_broken \
	tests/unit/test_mime_build \
	tests/unit/test_mime_parse
endif

tests_unit_test_inbox_message_SOURCES = tests/unit/test_inbox_message.c $(spool_lab)
tests_unit_test_mime_broken_SOURCES = tests/unit/test_mime_broken.c $(mime_text)
tests_unit_test_mime_build_SOURCES = tests/unit/test_mime_build.c $(mime_text)
tests_unit_test_mime_decoder_SOURCES = tests/unit/test_mime_decoder.c
tests_unit_test_mime_index_SOURCES = tests/unit/test_mime_index.c $(mime_text)
tests_unit_test_mime_parse_SOURCES = tests/unit/test_mime_parse.c $(mime_text)
tests_unit_test_mime_text_SOURCES = tests/unit/test_mime_text.c
EXTRA_DIST += tests/unit/test_inbox_message.c tests/unit/test_mime_broken.c \
	tests/unit/test_mime_build.c tests/unit/test_mime_parse.c
