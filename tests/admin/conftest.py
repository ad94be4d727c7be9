from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from django_qaprod import registry
from tests.admin import rows
from tests.forms import kept


@pytest.fixture
def journey() -> Iterator[registry.JourneySpec]:
    """A journey that is declared, alone."""
    with registry.isolated():
        registry._journeys.clear()
        registry.register(rows.JOURNEY)
        yield rows.JOURNEY


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss")


@pytest.fixture
def client_of_boss(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture
def key(settings: Settings) -> str:
    """A key to encrypt with."""
    settings.QAPROD = {**getattr(settings, "QAPROD", {}), "RESCUE_KEYS": [kept.KEY]}
    return kept.KEY
