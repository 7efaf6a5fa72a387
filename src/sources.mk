# The two programs; everything else of src/ is in libpenstock.a.
penstockd_sources = src/penstockd.c
penstock_sources = src/penstock.c
EXTRA_DIST += src/README.md
