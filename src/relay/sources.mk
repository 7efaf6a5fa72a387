relay_sources = \
	src/relay/bounce.h \
	src/relay/relay.h \
	src/relay/route.h \
	src/relay/source.h
