mail_sources = \
	src/mail/address.h \
	src/mail/dot.h \
	src/mail/envelope.h \
	src/mail/header.h \
	src/mail/id.h \
	src/mail/reply.h \
	src/mail/trace.h \
	src/mail/xtext.h
