net_sources =
