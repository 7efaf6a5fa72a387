# SPDX-License-Identifier: ISC
base_sources = \
	src/base/bytes.c src/base/bytes.h \
	src/base/charset.c src/base/charset.h \
	src/base/channel.c src/base/channel.h \
	src/base/clock.c src/base/clock.h \
	src/base/digest.c src/base/digest.h \
	src/base/heap.c src/base/heap.h \
	src/base/helper.c src/base/helper.h \
	src/base/json.c src/base/json.h \
	src/base/list.h \
	src/base/log.c src/base/log.h \
	src/base/log_text.c src/base/log_text.h \
	src/base/mac.c src/base/mac.h \
	src/base/memory.c src/base/memory.h \
	src/base/metric.c src/base/metric.h \
	src/base/table.c src/base/table.h \
	src/base/utf8.c src/base/utf8.h
