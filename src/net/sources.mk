# SPDX-License-Identifier: ISC
net_sources = \
	src/net/certificate.c \
	src/net/flow.c \
	src/net/inherited.c \
	src/net/inherited.h \
	src/net/listener.c \
	src/net/listener.h \
	src/net/loop.c \
	src/net/loop.h \
	src/net/output.c \
	src/net/private.h \
	src/net/proxy.c \
	src/net/proxy.h \
	src/net/resolve.c \
	src/net/resolve.h \
	src/net/secure.c \
	src/net/stream.c \
	src/net/stream.h \
	src/net/tls.c \
	src/net/tls.h \
	src/net/tls_bufferevent.c \
	src/net/tls_private.h \
	src/net/tls_sessions.c \
	src/net/tls_verify.c \
	src/net/watch.c \
	src/net/wire.c
