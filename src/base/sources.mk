base_sources = \
	src/base/bytes.h \
	src/base/channel.h \
	src/base/clock.h \
	src/base/digest.h \
	src/base/heap.h \
	src/base/helper.h \
	src/base/list.h \
	src/base/log.h \
	src/base/memory.h \
	src/base/metric.h \
	src/base/table.h
