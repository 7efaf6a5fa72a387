# SPDX-License-Identifier: ISC
config_sources = \
	src/config/chaos.c \
	src/config/check.c \
	src/config/check_logins.c \
	src/config/check_credentials.c \
	src/config/check_routes.c \
	src/config/defaults.c \
	src/config/derive.c \
	src/config/endpoints.c \
	src/config/http.c \
	src/config/language.c \
	src/config/load.c \
	src/config/mailpit_names.c \
	src/config/options.c \
	src/config/origin.c \
	src/config/overrides.c \
	src/config/parse.c \
	src/config/places.c \
	src/config/presets.c \
	src/config/print.c \
	src/config/private.h \
	src/config/replies.c \
	src/config/scan.c \
	src/config/secret.c \
	src/config/setting.c \
	src/config/settings.c \
	src/config/settings.h \
	src/config/users.c \
	src/config/users.h \
	src/config/values.c \
	src/config/values.h
