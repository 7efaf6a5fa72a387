EXTRA_DIST += contrib/quickstart contrib/penstock.service
