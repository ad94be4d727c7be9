"""Who can log in. Nothing here is worth protecting: the demo listens on the loopback interface alone."""

from __future__ import annotations

STAFF = "demo"
STAFF_PASSWORD = "demo"

TEACHERS = tuple(f"teacher{number}" for number in range(1, 25))
TEACHERS_PASSWORD = "chalk-and-cheese"
