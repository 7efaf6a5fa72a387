# SPDX-License-Identifier: ISC
# Each plays a connection against a peer on a stage; see transport_stage.h.
unit_programs += \
	tests/unit/test_chunking \
	tests/unit/test_compose \
	tests/unit/test_connecting \
	tests/unit/test_connection \
	tests/unit/test_ehlo \
	tests/unit/test_expect \
	tests/unit/test_hints \
	tests/unit/test_login \
	tests/unit/test_opening \
	tests/unit/test_reply_reader \
	tests/unit/test_sasl \
	tests/unit/test_transaction
transport_stage = tests/unit/transport_stage.c tests/unit/transport_stage.h
transport_tls = $(transport_stage) tests/unit/transport_tls.c tests/unit/transport_tls.h
tests_unit_test_chunking_SOURCES = tests/unit/test_chunking.c $(transport_stage)
tests_unit_test_compose_SOURCES = tests/unit/test_compose.c $(transport_stage)
tests_unit_test_connection_SOURCES = tests/unit/test_connection.c $(transport_stage)
tests_unit_test_connecting_SOURCES = tests/unit/test_connecting.c $(transport_stage)
tests_unit_test_ehlo_SOURCES = tests/unit/test_ehlo.c $(transport_stage)
tests_unit_test_expect_SOURCES = tests/unit/test_expect.c $(transport_stage)
tests_unit_test_login_SOURCES = tests/unit/test_login.c $(transport_tls)
tests_unit_test_opening_SOURCES = tests/unit/test_opening.c $(transport_tls)
tests_unit_test_reply_reader_SOURCES = tests/unit/test_reply_reader.c $(transport_stage)
tests_unit_test_transaction_SOURCES = tests/unit/test_transaction.c $(transport_stage)
