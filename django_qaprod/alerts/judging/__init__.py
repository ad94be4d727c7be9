"""Judges rules: one module for each kind, which says of what is watched whether it is wrong now."""
