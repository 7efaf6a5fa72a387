# SPDX-License-Identifier: ISC
# What the tests share.
EXTRA_DIST += \
	tests/README.md \
	tests/clients/mailhog.cjs \
	tests/clients/mailpit.mjs \
	tests/lib/certificates \
	tests/lib/fault_proxy.py \
	tests/lib/exim.py \
	tests/lib/fetch-clients \
	tests/lib/fetch-peers \
	tests/lib/meddle.py \
	tests/lib/peers.py \
	tests/lib/identity.py \
	tests/lib/logins.py \
	tests/lib/opensmtpd.py \
	tests/lib/penstock.py \
	tests/lib/postfix.py \
	tests/lib/private.py \
	tests/lib/run \
	tests/lib/smarthost.py \
	tests/lib/totals \
	tests/lib/web.py \
	tests/lib/wire.py
