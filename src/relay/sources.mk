relay_sources =
