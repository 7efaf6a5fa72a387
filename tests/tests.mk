# Every test is one line in TESTS: a cmocka program, a lint or a script. tests/lib/run starts
# it and counts, and takes a skipped case for a failed one.
unit_programs =

include $(srcdir)/tests/unit/base.mk
include $(srcdir)/tests/unit/mail.mk
include $(srcdir)/tests/unit/config.mk
include $(srcdir)/tests/unit/net.mk
include $(srcdir)/tests/unit/receive.mk
include $(srcdir)/tests/unit/spool.mk
include $(srcdir)/tests/unit/relay.mk
include $(srcdir)/tests/unit/transport.mk
include $(srcdir)/tests/unit/inbox.mk
include $(srcdir)/tests/unit/web.mk
include $(srcdir)/tests/unit/cli.mk

LDADD = src/libpenstock.a $(PENSTOCK_DEPS_LIBS) $(CMOCKA_LIBS)
TESTS = $(unit_programs)
if HAVE_CMOCKA
check_PROGRAMS += $(unit_programs)
endif
