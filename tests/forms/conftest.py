from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from django_qaprod.pipeline import guard, spool

from .kept import KEY


@pytest.fixture
def keys(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """Keys to encrypt with, and a spool of the test's own, whose directory this is."""
    path = tmp_path / "spool"
    settings.QAPROD = {**getattr(settings, "QAPROD", {}), "RESCUE_KEYS": [KEY], "SPOOL_DIR": str(path)}
    spool.forget_directory()
    guard.reset_after_fork()
    yield path
    spool.forget_directory()
