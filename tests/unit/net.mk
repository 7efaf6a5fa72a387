# SPDX-License-Identifier: ISC
unit_programs += tests/unit/test_listener tests/unit/test_loop tests/unit/test_proxy tests/unit/test_resolve \
	tests/unit/test_stream tests/unit/test_tls tests/unit/test_tls_client
net_peer = tests/unit/net_peer.c tests/unit/net_peer.h
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c $(net_peer)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c $(net_peer) \
	tests/unit/net_authority.c tests/unit/net_authority.h
tests_unit_test_tls_client_SOURCES = tests/unit/test_tls_client.c $(net_peer) \
	tests/unit/net_authority.c tests/unit/net_authority.h
