from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .daemon import Daemon, missing


@pytest.fixture(scope="session")
def _statsd() -> Iterator[Daemon]:
    _need()
    with Daemon() as daemon:
        yield daemon


@pytest.fixture
def statsd(_statsd: Daemon) -> Daemon:
    """The daemon of the session, which keeps what it has: tests tell theirs apart by a prefix."""
    return _statsd


@pytest.fixture
def own_statsd() -> Iterator[Daemon]:
    """A daemon that a test may kill and start again."""
    _need()
    with Daemon() as daemon:
        yield daemon


@pytest.fixture
def flushing_statsd() -> Iterator[Daemon]:
    """A daemon that says every second what it makes of what it has."""
    _need()
    with Daemon(interval=1) as daemon:
        yield daemon


def _need() -> None:
    part = missing()
    if part and os.environ.get("CI"):
        pytest.fail(f"missing: {part}", pytrace=False)
    elif part:
        pytest.skip(f"missing: {part}")
