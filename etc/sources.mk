# The configuration as installed: every line is a comment until the administrator edits it.
# An existing file is never overwritten, and only an untouched one is removed.
EXTRA_DIST += etc/penstock.conf

penstockconfdir = $(sysconfdir)/penstock

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(penstockconfdir)"
	test -e "$(DESTDIR)$(penstockconfdir)/penstock.conf" || \
		$(INSTALL_DATA) $(srcdir)/etc/penstock.conf "$(DESTDIR)$(penstockconfdir)/penstock.conf"

uninstall-local:
	! cmp -s $(srcdir)/etc/penstock.conf "$(DESTDIR)$(penstockconfdir)/penstock.conf" || \
		rm -f "$(DESTDIR)$(penstockconfdir)/penstock.conf"
