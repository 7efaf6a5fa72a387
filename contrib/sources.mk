# SPDX-License-Identifier: ISC
EXTRA_DIST += contrib/quickstart contrib/penstock.service
