# SPDX-License-Identifier: ISC
relay_sources = \
	src/relay/adapt.c \
	src/relay/attempt.c \
	src/relay/bounce.c \
	src/relay/bounce.h \
	src/relay/budget.c \
	src/relay/depth.c \
	src/relay/discard.c \
	src/relay/dsn.c \
	src/relay/dsn.h \
	src/relay/expiry.c \
	src/relay/grant.c \
	src/relay/health.c \
	src/relay/judge.c \
	src/relay/lane.c \
	src/relay/limit.c \
	src/relay/limit.h \
	src/relay/orders.c \
	src/relay/outcome.c \
	src/relay/pass.c \
	src/relay/pool.c \
	src/relay/private.h \
	src/relay/queue.c \
	src/relay/queue.h \
	src/relay/recover.c \
	src/relay/relay.c \
	src/relay/relay.h \
	src/relay/reroute.c \
	src/relay/route.c \
	src/relay/route.h \
	src/relay/source.c \
	src/relay/source.h \
	src/relay/throttle.c \
	src/relay/verdict.c \
	src/relay/verdict.h \
	src/relay/wait.c
