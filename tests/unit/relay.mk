# The relay against a scripted world with a set clock, and its pure parts by tables.
unit_programs += tests/unit/test_relay
tests_unit_test_relay_SOURCES = tests/unit/test_relay.c tests/unit/relay_world.c \
	tests/unit/relay_world.h
