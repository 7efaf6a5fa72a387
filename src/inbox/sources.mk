inbox_sources = \
	src/inbox/inbox.h
