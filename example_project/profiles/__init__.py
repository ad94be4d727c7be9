"""The profile service: somebody else's system, which the site depends upon and can live without."""
