# SPDX-License-Identifier: ISC
# The page of the inbox. src/web/embed makes C of it, outside of src/ because nobody wrote that.
page_files = \
	src/web/openapi.json \
	src/web/page/api.js \
	src/web/page/base.css \
	src/web/page/changes.js \
	src/web/page/dialog.css \
	src/web/page/dialog.js \
	src/web/page/divider.js \
	src/web/page/dom.js \
	src/web/page/early.js \
	src/web/page/events.js \
	src/web/page/frame.css \
	src/web/page/highlight.js \
	src/web/page/icon-unread.svg \
	src/web/page/icon.svg \
	src/web/page/index.html \
	src/web/page/keys.js \
	src/web/page/list.css \
	src/web/page/list.js \
	src/web/page/message.css \
	src/web/page/messages.js \
	src/web/page/notify.js \
	src/web/page/page.js \
	src/web/page/reader.js \
	src/web/page/release.js \
	src/web/page/route.js \
	src/web/page/row.js \
	src/web/page/say.js \
	src/web/page/search.js \
	src/web/page/sessions.js \
	src/web/page/settings.js \
	src/web/page/side.js \
	src/web/page/tags.js \
	src/web/page/text.js \
	src/web/page/theme.js \
	src/web/page/tools.js \
	src/web/page/views.js \
	src/web/page/welcome.js

page_sources = \
	src/web/assets.c \
	src/web/assets.h \
	src/web/quiet.c \
	src/web/quiet.h
nodist_page_sources = generated/page_files.c
EXTRA_DIST += src/web/embed $(page_files)
CLEANFILES += generated/page_files.c

generated/page_files.c: src/web/embed $(page_files)
	$(AM_V_GEN)$(MKDIR_P) generated
	$(AM_V_at)"$(srcdir)/src/web/embed" "$(srcdir)" $(page_files) >$@.new && mv -f $@.new $@
