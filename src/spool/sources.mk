spool_sources =
