# SPDX-License-Identifier: ISC
# Small laws kept by machines: each script is one law, run with the sources in TOP_SRCDIR.
lints = \
	tests/lint/forbidden \
	tests/lint/format \
	tests/lint/headers \
	tests/lint/heads \
	tests/lint/include_directions \
	tests/lint/length \
	tests/lint/listed \
	tests/lint/options \
	tests/lint/page \
	tests/lint/unused
TESTS += $(lints)
EXTRA_DIST += $(lints) tests/lint/lint.py
