"""Fixtures for tests of what is recorded: a list of it, and something that is being served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_qaprod import context
from django_qaprod.pipeline import guard
from django_qaprod.testing import Records, capture_records


@pytest.fixture
def records() -> Iterator[Records]:
    """Record into a list; nothing may have gone wrong inside us by the end."""
    guard.take()
    with capture_records() as found:
        yield found
    tally = guard.take()
    assert tally is None or not tally.errors, tally


@pytest.fixture
def served() -> Iterator[context.Context]:
    """Serve something: a context is current."""
    made = context.Context()
    token = context.enter(made)
    yield made
    context.leave(token)
