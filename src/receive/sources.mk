receive_sources = \
	src/receive/accept.c \
	src/receive/admission.c \
	src/receive/auth.c \
	src/receive/bdat.c \
	src/receive/clients.c \
	src/receive/data.c \
	src/receive/parameters.c \
	src/receive/policy.c \
	src/receive/private.h \
	src/receive/rates.c \
	src/receive/receive.h \
	src/receive/session.c \
	src/receive/terms.c \
	src/receive/verbs.c
