# Manual pages, in mdoc: add as dist_man_MANS += man/NAME.SECTION
