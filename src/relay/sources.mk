relay_sources = \
	src/relay/bounce.h \
	src/relay/relay.h \
	src/relay/route.c \
	src/relay/route.h \
	src/relay/source.c \
	src/relay/source.h
