# SPDX-License-Identifier: ISC
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

# What provider { preset = "NAME" } reads: one file each.
providersdir = $(datadir)/penstock/providers
dist_providers_DATA = \
	etc/providers/amazon-ses.conf \
	etc/providers/brevo.conf \
	etc/providers/gmail.conf \
	etc/providers/google-relay.conf \
	etc/providers/mailgun.conf \
	etc/providers/mailgun-eu.conf \
	etc/providers/mailtrap.conf \
	etc/providers/mandrill.conf \
	etc/providers/microsoft365.conf \
	etc/providers/outlook.conf \
	etc/providers/postmark.conf \
	etc/providers/sendgrid.conf \
	etc/providers/sparkpost.conf \
	etc/providers/sparkpost-eu.conf \
	etc/providers/yahoo.conf
