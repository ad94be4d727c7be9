from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.db.models.signals import post_init, post_save

from django_qaprod import registry
from django_qaprod.pipeline import guard, process
from django_qaprod.pipeline.drainer import Drainer
from django_qaprod.records import Record


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    """What a test declares and connects is forgotten afterwards."""
    receivers = {signal: signal.receivers[:] for signal in (post_init, post_save)}
    with registry.isolated():
        yield
    for signal, before in receivers.items():
        signal.receivers[:] = before
        signal.sender_receivers_cache.clear()


@pytest.fixture
def spool() -> Iterator[Drainer]:
    """Recording is on; what is spooled stays in memory until drained."""
    with process.in_memory() as drainer:
        yield drainer


@pytest.fixture
def tap() -> Iterator[list[Record]]:
    records: list[Record] = []
    with process.tapped(records):
        yield records


@pytest.fixture
def production(settings: Any) -> None:
    settings.QAPROD = {"RERAISE": False}
    guard.take()


@pytest.fixture
async def thread_of_queries() -> AsyncIterator[None]:
    """Close what the thread opened in which asynchronous tests query."""
    yield
    await sync_to_async(connections.close_all)()
