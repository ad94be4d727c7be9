from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from django_qaprod import Expectation, Journey, Step, clock, registry
from django_qaprod.models import Event
from django_qaprod.records import new_id

Take = Callable[..., None]


@pytest.fixture
def journey() -> Iterator[Any]:
    with registry.isolated():

        class Application(Journey):
            name = "apply"
            submitted = Step()
            emailed = Step()

        yield Application


@pytest.fixture
def expect(journey: Any) -> Callable[..., Expectation]:
    """Declare that every application reaches its school within half an hour."""

    def declare(**options: Any) -> Expectation:
        given = {"when": journey.submitted, "then": journey.emailed, "within": timedelta(minutes=30)}
        return Expectation("reaches the school", **{**given, **options})

    return declare


@pytest.fixture
def take() -> Take:
    """Store steps that subjects took ``ago`` minutes before ``now``, recorded then or at another time."""

    def store(
        step: str, *subjects: str, ago: float, recorded: float | None = None, now: datetime | None = None
    ) -> None:
        at = (now or clock.now()) - timedelta(minutes=ago)
        known = (now or clock.now()) - timedelta(minutes=ago if recorded is None else recorded)
        Event.objects.bulk_create(
            Event(
                id=new_id(clock.epoch(known)), at=at, journey="apply", step=step, subject=subject,
                request_id=f"r-{subject}",
            )
            for subject in subjects
        )  # fmt: skip

    return store
