net_sources = \
	src/net/listener.h \
	src/net/loop.h \
	src/net/resolve.h \
	src/net/stream.h \
	src/net/tls.h
