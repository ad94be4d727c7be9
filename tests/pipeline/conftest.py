from __future__ import annotations

import pytest

from django_qaprod.pipeline import guard
from tests.recorded import records as records
from tests.recorded import served as served


@pytest.fixture(autouse=True)
def _nothing_counted_before() -> None:
    """Other tests may have left counts of what they made go wrong: they are a process's, not a test's."""
    guard.take()
