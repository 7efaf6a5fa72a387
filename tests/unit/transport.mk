# Each plays a connection against a peer on a stage; see transport_stage.h.
transport_unit_programs = \
	tests/unit/test_connection \
	tests/unit/test_opening \
	tests/unit/test_transaction
unit_programs += $(transport_unit_programs)
transport_stage = tests/unit/transport_stage.c tests/unit/transport_stage.h
transport_tls = $(transport_stage) tests/unit/transport_tls.c tests/unit/transport_tls.h
tests_unit_test_connection_SOURCES = tests/unit/test_connection.c $(transport_stage)
tests_unit_test_opening_SOURCES = tests/unit/test_opening.c $(transport_tls)
tests_unit_test_transaction_SOURCES = tests/unit/test_transaction.c $(transport_stage)
