unit_programs += tests/unit/test_listener tests/unit/test_loop tests/unit/test_resolve \
	tests/unit/test_stream
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c tests/unit/net_peer.c tests/unit/net_peer.h
