"""What gauges of tests hang on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from django_qaprod.gauges import asking


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event that is set at the end of the test, and no grace beyond a gauge's timeout."""
    monkeypatch.setattr(asking, "GRACE", 0.0)
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name.startswith("qaprod-gauge"):
            thread.join(60)
