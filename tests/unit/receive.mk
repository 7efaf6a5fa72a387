# SPDX-License-Identifier: ISC
unit_programs += \
	tests/unit/test_receive_bdat \
	tests/unit/test_receive_admission \
	tests/unit/test_receive_auth \
	tests/unit/test_receive_clients \
	tests/unit/test_receive_content \
	tests/unit/test_receive_data \
	tests/unit/test_receive_dialogue \
	tests/unit/test_receive_faults \
	tests/unit/test_receive_parameters \
	tests/unit/test_receive_policy \
	tests/unit/test_receive_rates \
	tests/unit/test_receive_record \
	tests/unit/test_receive_repairs \
	tests/unit/test_receive_session \
	tests/unit/test_receive_tls \
	tests/unit/test_receive_users \
	tests/unit/test_receive_walk

receive_server = tests/unit/receive_server.c tests/unit/receive_server.h
tests_unit_test_receive_bdat_SOURCES = tests/unit/test_receive_bdat.c $(receive_server)
tests_unit_test_receive_admission_SOURCES = tests/unit/test_receive_admission.c $(receive_server)
tests_unit_test_receive_auth_SOURCES = tests/unit/test_receive_auth.c $(receive_server)
tests_unit_test_receive_content_SOURCES = tests/unit/test_receive_content.c $(receive_server)
tests_unit_test_receive_data_SOURCES = tests/unit/test_receive_data.c $(receive_server)
tests_unit_test_receive_dialogue_SOURCES = tests/unit/test_receive_dialogue.c $(receive_server)
tests_unit_test_receive_faults_SOURCES = tests/unit/test_receive_faults.c $(receive_server)
tests_unit_test_receive_record_SOURCES = tests/unit/test_receive_record.c $(receive_server)
tests_unit_test_receive_repairs_SOURCES = tests/unit/test_receive_repairs.c $(receive_server)
tests_unit_test_receive_session_SOURCES = tests/unit/test_receive_session.c $(receive_server)
tests_unit_test_receive_tls_SOURCES = tests/unit/test_receive_tls.c $(receive_server)
tests_unit_test_receive_walk_SOURCES = tests/unit/test_receive_walk.c $(receive_server)
