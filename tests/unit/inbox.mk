# SPDX-License-Identifier: ISC
unit_programs += \
	tests/unit/test_fold \
	tests/unit/test_inbox_print \
	tests/unit/test_intake \
	tests/unit/test_summary
