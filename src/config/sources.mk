config_sources = \
	src/config/settings.h \
	src/config/values.h
