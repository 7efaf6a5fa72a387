# SPDX-License-Identifier: ISC
mime_sources = \
	src/mime/mime.h
