# SPDX-License-Identifier: ISC
unit_programs += \
	tests/unit/test_assets \
	tests/unit/test_quiet \
	tests/unit/test_websocket
unit_programs += \
	tests/unit/test_web_guard \
	tests/unit/test_web_path
