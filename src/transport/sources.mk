transport_sources =
