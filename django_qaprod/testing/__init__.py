"""For the tests of hosts: look at what would be recorded, or take it all the way into the test database.

In a test run nothing is recorded unless one of these is active. With pytest, the fixtures
``qaprod_records`` and ``qaprod_store`` are there without an import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .recording import Records as Records
    from .recording import Store as Store
    from .recording import capture_records as capture_records
    from .recording import store_records as store_records

__all__ = ["Records", "Store", "capture_records", "store_records"]

# Lazily: pytest imports this package at the start of every run, long before the host sets Django up.
__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "recording"))
