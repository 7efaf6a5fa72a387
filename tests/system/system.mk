# SPDX-License-Identifier: ISC
# The real daemon, real sockets, real peers: all of tests/system is one test of make check.
TESTS += tests/system/run

# What they start beside the daemon. Under tests/lib/meddle.py's name Python would import the library.
test_programs += tests/lib/libmeddle.so tests/system/examine_spool
tests_lib_libmeddle_so_SOURCES = tests/lib/meddle.c
tests_lib_libmeddle_so_CFLAGS = -std=c11 -fPIC $(WARNING_CFLAGS)
tests_lib_libmeddle_so_LDFLAGS = -shared
tests_lib_libmeddle_so_LDADD = -ldl
tests_system_examine_spool_SOURCES = tests/system/examine_spool.c $(spool_lab)
system_files = \
	tests/system/conftest.py \
	tests/system/test_accept.py \
	tests/system/test_bounce.py \
	tests/system/test_catch.py \
	tests/system/test_chaos.py \
	tests/system/test_cli.py \
	tests/system/test_clients.py \
	tests/system/test_clock.py \
	tests/system/test_config.py \
	tests/system/test_control.py \
	tests/system/test_crash.py \
	tests/system/test_daemon.py \
	tests/system/test_dialogue.py \
	tests/system/test_damage.py \
	tests/system/test_inbox.py \
	tests/system/test_mailcatcher.py \
	tests/system/test_mailhog.py \
	tests/system/test_inbox_clients.py \
	tests/system/test_events.py \
	tests/system/test_wait.py \
	tests/system/test_send.py \
	tests/system/test_release.py \
	tests/system/test_extensions.py \
	tests/system/test_fault_proxy.py \
	tests/system/test_failover.py \
	tests/system/test_failures.py \
	tests/system/test_faults.py \
	tests/system/test_http_security.py \
	tests/system/test_listeners.py \
	tests/system/test_memory.py \
	tests/system/test_mailpit.py \
	tests/system/test_mime.py \
	tests/system/test_login.py \
	tests/system/test_oauth.py \
	tests/system/test_page.py \
	tests/system/test_peers.py \
	tests/system/test_rate.py \
	tests/system/test_real_smarthosts.py \
	tests/system/test_retention.py \
	tests/system/test_relay_tls.py \
	tests/system/test_relay.py \
	tests/system/test_reload.py \
	tests/system/test_power.py \
	tests/system/test_programs.py \
	tests/system/test_secrets.py \
	tests/system/test_routes.py \
	tests/system/test_siege.py \
	tests/system/test_start.py \
	tests/system/test_repairs.py \
	tests/system/test_testssl.py \
	tests/system/test_tls_in.py \
	tests/system/test_tls_out.py
# What test_page.py starts.
browser_files = \
	tests/browser/hostile.mjs \
	tests/browser/inboxes.mjs \
	tests/browser/lab.mjs \
	tests/browser/looks.mjs \
	tests/browser/reading.mjs \
	tests/browser/run.mjs \
	tests/browser/smtp.mjs \
	tests/browser/working.mjs
EXTRA_DIST += tests/system/run $(system_files) $(browser_files)
