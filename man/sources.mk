# SPDX-License-Identifier: ISC
# Manual pages, in mdoc: add as dist_man_MANS += man/NAME.SECTION
dist_man_MANS += man/penstockd.8
dist_man_MANS += man/penstock.1
dist_man_MANS += man/penstock.conf.5
