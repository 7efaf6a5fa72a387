spool_sources = \
	src/spool/spool.h
