"""Template tags and filters of our pages."""
