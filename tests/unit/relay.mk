# SPDX-License-Identifier: ISC
# The relay against a scripted world with a set clock, and its pure parts by tables.
relay_world = \
	tests/unit/relay_hosts.c tests/unit/relay_spool.c tests/unit/relay_world.c \
	tests/unit/relay_world.h

unit_programs += \
	tests/unit/test_adapt \
	tests/unit/test_bounce \
	tests/unit/test_depth \
	tests/unit/test_dsn \
	tests/unit/test_from \
	tests/unit/test_lane \
	tests/unit/test_limit \
	tests/unit/test_queue \
	tests/unit/test_relay \
	tests/unit/test_relay_balance \
	tests/unit/test_relay_clock \
	tests/unit/test_relay_depth \
	tests/unit/test_relay_failover \
	tests/unit/test_relay_rates \
	tests/unit/test_relay_trouble \
	tests/unit/test_relay_flow \
	tests/unit/test_relay_from \
	tests/unit/test_relay_quota \
	tests/unit/test_relay_reports \
	tests/unit/test_relay_reroute \
	tests/unit/test_relay_verdicts \
	tests/unit/test_route \
	tests/unit/test_verdict
tests_unit_test_relay_SOURCES = tests/unit/test_relay.c $(relay_world)
tests_unit_test_relay_balance_SOURCES = tests/unit/test_relay_balance.c $(relay_world)
tests_unit_test_relay_clock_SOURCES = tests/unit/test_relay_clock.c $(relay_world)
tests_unit_test_relay_depth_SOURCES = tests/unit/test_relay_depth.c $(relay_world)
tests_unit_test_relay_failover_SOURCES = tests/unit/test_relay_failover.c $(relay_world)
tests_unit_test_relay_rates_SOURCES = tests/unit/test_relay_rates.c $(relay_world)
tests_unit_test_relay_verdicts_SOURCES = tests/unit/test_relay_verdicts.c $(relay_world)
tests_unit_test_relay_flow_SOURCES = tests/unit/test_relay_flow.c $(relay_world)
tests_unit_test_relay_reports_SOURCES = tests/unit/test_relay_reports.c $(relay_world)
tests_unit_test_relay_reroute_SOURCES = tests/unit/test_relay_reroute.c $(relay_world)
tests_unit_test_relay_from_SOURCES = tests/unit/test_relay_from.c $(relay_world)
tests_unit_test_relay_quota_SOURCES = tests/unit/test_relay_quota.c $(relay_world)
tests_unit_test_relay_trouble_SOURCES = tests/unit/test_relay_trouble.c $(relay_world)
tests_unit_test_bounce_SOURCES = tests/unit/test_bounce.c $(spool_lab)
