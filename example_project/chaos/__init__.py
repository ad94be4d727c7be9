"""Faults that can be switched on while the site runs, to see what becomes of them."""
