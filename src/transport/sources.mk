transport_sources = \
	src/transport/transport.h
