"""Where records go, each sink on its own: the database, the log, and what ``QAPROD["SINKS"]`` names besides."""
