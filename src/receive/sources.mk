receive_sources =
