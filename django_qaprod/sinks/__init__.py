"""Where records go, each sink on its own: the database, the log, what ``QAPROD["SINKS"]`` names besides."""
