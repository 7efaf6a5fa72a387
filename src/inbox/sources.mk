inbox_sources =
