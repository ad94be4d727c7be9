"""What SQLite needs under ``ATOMIC_REQUESTS``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def lock_before_writing(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Let a request that may write take SQLite's write lock before it reads.

    A transaction that has read cannot write once somebody else has written: "database is locked", timeout or
    not (https://www.sqlite.org/isolation.html). Beginning it with the lock makes it wait its turn instead.
    Requests that only read take no lock, so pages are served while somebody writes.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if connection.vendor != "sqlite" or request.method in SAFE:
            return get_response(request)
        # Connecting sets the mode from the settings; ours comes after it.
        connection.ensure_connection()
        sqlite: Any = connection
        before = sqlite.transaction_mode
        sqlite.transaction_mode = "IMMEDIATE"
        try:
            return get_response(request)
        finally:
            sqlite.transaction_mode = before

    return middleware
