# SPDX-License-Identifier: ISC
unit_programs += \
	tests/unit/test_bytes \
	tests/unit/test_channel \
	tests/unit/test_clock \
	tests/unit/test_digest \
	tests/unit/test_heap \
	tests/unit/test_helper \
	tests/unit/test_json \
	tests/unit/test_list \
	tests/unit/test_log \
	tests/unit/test_mac \
	tests/unit/test_memory \
	tests/unit/test_metric \
	tests/unit/test_table \
	tests/unit/test_utf8
