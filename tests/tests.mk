# SPDX-License-Identifier: ISC
# The tests of `make check`. Each is one line in TESTS: a cmocka program, a lint or a script.
# tests/lib/run starts it and ends its log with "N passed, N failed"; a skipped case is a failed one.

unit_programs =
test_programs =
bench_programs =
bench_scripts =
TESTS =

include $(srcdir)/tests/lint/lint.mk
include $(srcdir)/tests/unit/base.mk
include $(srcdir)/tests/unit/mail.mk
include $(srcdir)/tests/unit/config.mk
include $(srcdir)/tests/unit/net.mk
include $(srcdir)/tests/unit/receive.mk
include $(srcdir)/tests/unit/spool.mk
include $(srcdir)/tests/unit/relay.mk
include $(srcdir)/tests/unit/transport.mk
include $(srcdir)/tests/unit/fetch.mk
include $(srcdir)/tests/unit/mime.mk
include $(srcdir)/tests/unit/inbox.mk
include $(srcdir)/tests/unit/web.mk
include $(srcdir)/tests/unit/cli.mk
include $(srcdir)/tests/dialogue/dialogue.mk
include $(srcdir)/tests/fuzz/fuzz.mk
include $(srcdir)/tests/system/system.mk
include $(srcdir)/tests/bench/bench.mk
include $(srcdir)/tests/lib/lib.mk

# For every program under tests/ that names no LDADD of its own.
LDADD = src/libpenstock.a $(PENSTOCK_DEPS_LIBS) $(CMOCKA_LIBS)

TESTS += $(unit_programs)
if HAVE_CMOCKA
check_PROGRAMS += $(unit_programs) $(test_programs)
else
check_DATA = need-cmocka
endif

need-cmocka:
	@echo "make check needs cmocka: apt install libcmocka-dev, then ./configure again" >&2; exit 1

LOG_COMPILER = $(srcdir)/tests/lib/run
AM_TESTS_ENVIRONMENT = \
	TOP_SRCDIR='$(abs_srcdir)' TOP_BUILDDIR='$(abs_builddir)' PYTHON='$(PYTHON)' \
	CC='$(CC)' CPPFLAGS='$(DEFS) -I$(abs_builddir) $(TEST_CPPFLAGS) $(CPPFLAGS)' \
	PEERS="$${PEERS:-$(abs_builddir)/peers}" CLIENTS="$${CLIENTS:-$(abs_builddir)/clients}" LONG='$(LONG)' MARKS='$(MARKS)' \
	PENSTOCK_PROVIDERS='$(abs_srcdir)/etc/providers' PYTHONDONTWRITEBYTECODE=1; \
	export PENSTOCK_PROVIDERS TOP_SRCDIR TOP_BUILDDIR PYTHON CC CPPFLAGS PEERS CLIENTS LONG MARKS PYTHONDONTWRITEBYTECODE;
TEST_CPPFLAGS = -D_GNU_SOURCE -I$(abs_srcdir)/src $(PENSTOCK_DEPS_CFLAGS) $(WARNING_CFLAGS)

# The whole suite with what takes longer: system tests marked long, longer replays.
check-long:
	$(MAKE) check LONG=yes

# How many cases the last `make check` had.
totals:
	@$(srcdir)/tests/lib/totals $(TEST_LOGS)

# Measures; never decides pass or fail.
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)
EXTRA_DIST += $(bench_scripts)
bench: all $(bench_programs)
	@for script in $(bench_scripts); do \
		TOP_SRCDIR='$(abs_srcdir)' TOP_BUILDDIR='$(abs_builddir)' PYTHON='$(PYTHON)' \
		PEERS="$${PEERS:-$(abs_builddir)/peers}" CLIENTS="$${CLIENTS:-$(abs_builddir)/clients}" \
		"$(srcdir)/$$script" || exit 1; \
	done

clean-local:
	rm -rf peers clients
	find . -name __pycache__ -prune -exec rm -rf {} + || :

.PHONY: bench check-long need-cmocka totals
