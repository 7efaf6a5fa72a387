mail_sources =
