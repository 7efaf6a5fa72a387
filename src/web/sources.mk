web_sources =
