config_sources =
