from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from django_qaprod import registry
from django_qaprod.specs import ExpectationSpec
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


@pytest.fixture
def expectation() -> Iterator[ExpectationSpec]:
    """An expectation that is declared, with a repair that says what it is asked for."""

    def repair(breach: Any, /, *, dry_run: bool) -> str:
        if breach.subject == "broken":
            raise LookupError("no such school")
        return f"would send {breach.subject}" if dry_run else f"sent {breach.subject}"

    spec = ExpectationSpec(
        name="reaches the school",
        when=("JobApplication", "submitted"),
        then=("JobApplication", "emailed"),
        due=lambda at: at,
        least=timedelta(0),
        repair=repair,
    )
    with registry.isolated():
        registry.register_expectation(spec)
        yield spec
