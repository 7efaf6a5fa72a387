config_case = tests/unit/config_case.c tests/unit/config_case.h

unit_programs += \
	tests/unit/test_endpoints \
	tests/unit/test_parse \
	tests/unit/test_values
tests_unit_test_parse_SOURCES = tests/unit/test_parse.c $(config_case)
