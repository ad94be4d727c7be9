"""Adapters for packages that a host may use. Each is on because the host says so, never by itself."""
