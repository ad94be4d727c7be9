"""The client that the host has started, if it has. Nothing is imported to find out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient


def client() -> BaseClient | None:
    """Return the host's client, ``None`` without one that sends: ``init()`` without a DSN makes no other."""
    # While another thread imports it, the module is there and not yet what is in it.
    get_client = getattr(sys.modules.get("sentry_sdk"), "get_client", None)
    found: BaseClient | None = get_client() if get_client is not None else None
    return found if found is not None and found.is_active() and found.transport is not None else None
