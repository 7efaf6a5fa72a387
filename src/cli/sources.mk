# SPDX-License-Identifier: ISC
cli_sources = \
	src/cli/cli.h \
	src/cli/archive.c \
	src/cli/client.c \
	src/cli/inbox.c \
	src/cli/login.c \
	src/cli/message.c \
	src/cli/message_commands.c \
	src/cli/queue.c \
	src/cli/redirect.c \
	src/cli/redirect.h \
	src/cli/send.c \
	src/cli/sendmail.c \
	src/cli/sendmail_options.c \
	src/cli/status.c \
	src/cli/submit.c \
	src/cli/text.c
