from __future__ import annotations

import pytest

from django_qaprod.doctor import carrying


@pytest.fixture(autouse=True)
def _looks_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody drains, there is nothing to wait for between the doctor's two looks."""
    monkeypatch.setattr(carrying, "TWO_PASSES", 0.05)
