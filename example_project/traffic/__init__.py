"""Visitors: they come over HTTP, look around, apply, give up, press twice. Run by ``python -m …traffic``."""
