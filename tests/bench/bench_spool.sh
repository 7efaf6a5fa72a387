#!/bin/sh
# SPDX-License-Identifier: ISC
# What the spool can do by itself: many sessions, one session, large mail, accepted and relayed.
set -e
bench=${TOP_BUILDDIR:-.}/tests/bench/bench_spool
"$bench" 2 25 3 4096
"$bench" 1 1 3 4096
"$bench" 2 25 3 60000
"$bench" 2 100 3 4096 relay
