# SPDX-License-Identifier: ISC
# Built and run by `make bench` only.
# bench_programs += tests/bench/bench_NAME          load generators, sinks
# bench_scripts += tests/bench/run                  what to run, in this order
bench_programs += tests/bench/bench_spool
bench_scripts += tests/bench/bench_spool.sh
bench_programs += tests/bench/delay tests/bench/load tests/bench/sink
bench_scripts += tests/bench/run tests/bench/run_far tests/bench/run_queue tests/bench/run_inbox
EXTRA_DIST += tests/bench/beside_postfix.py tests/bench/over_distance.py \
	tests/bench/beside_maildev.py tests/bench/drill_large.py tests/bench/long_queue.py
