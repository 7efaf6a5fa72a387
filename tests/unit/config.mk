# SPDX-License-Identifier: ISC
config_case = tests/unit/config_case.c tests/unit/config_case.h

unit_programs += \
	tests/unit/test_check \
	tests/unit/test_check_logins \
	tests/unit/test_check_credentials \
	tests/unit/test_check_routes \
	tests/unit/test_endpoints \
	tests/unit/test_etc \
	tests/unit/test_http_settings \
	tests/unit/test_language \
	tests/unit/test_mailpit_names \
	tests/unit/test_options \
	tests/unit/test_overrides \
	tests/unit/test_parse \
	tests/unit/test_places \
	tests/unit/test_presets \
	tests/unit/test_print \
	tests/unit/test_replies \
	tests/unit/test_scan \
	tests/unit/test_secret \
	tests/unit/test_settings \
	tests/unit/test_users \
	tests/unit/test_values
tests_unit_test_check_SOURCES = tests/unit/test_check.c $(config_case)
tests_unit_test_check_credentials_SOURCES = tests/unit/test_check_credentials.c $(config_case)
tests_unit_test_check_routes_SOURCES = tests/unit/test_check_routes.c $(config_case)
tests_unit_test_mailpit_names_SOURCES = tests/unit/test_mailpit_names.c $(config_case)
tests_unit_test_overrides_SOURCES = tests/unit/test_overrides.c $(config_case)
tests_unit_test_parse_SOURCES = tests/unit/test_parse.c $(config_case)
tests_unit_test_presets_SOURCES = tests/unit/test_presets.c $(config_case)
tests_unit_test_print_SOURCES = tests/unit/test_print.c $(config_case)
tests_unit_test_replies_SOURCES = tests/unit/test_replies.c $(config_case)
tests_unit_test_secret_SOURCES = tests/unit/test_secret.c $(config_case)
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c $(config_case)
tests_unit_test_etc_SOURCES = tests/unit/test_etc.c $(config_case)
tests_unit_test_check_logins_SOURCES = tests/unit/test_check_logins.c $(config_case)
tests_unit_test_users_SOURCES = tests/unit/test_users.c $(config_case)
tests_unit_test_http_settings_SOURCES = tests/unit/test_http_settings.c $(config_case)
