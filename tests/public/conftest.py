from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.public.hosts import Plain


@pytest.fixture(autouse=True)
def _host(settings: Settings) -> None:
    settings.ROOT_URLCONF = Plain
    settings.QAPROD = {"BASE_URL": "https://jobs.example.org"}
