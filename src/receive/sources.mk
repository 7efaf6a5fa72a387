receive_sources = \
	src/receive/receive.h
