# SPDX-License-Identifier: ISC
# What needs no network; the token endpoint is in tests/system/test_oauth.py.
unit_programs += \
	tests/unit/test_fetch \
	tests/unit/test_jwt \
	tests/unit/test_secret_file \
	tests/unit/test_token
