# SPDX-License-Identifier: ISC
unit_programs += \
	tests/unit/test_websocket
