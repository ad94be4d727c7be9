from __future__ import annotations

from datetime import timedelta

import pytest

from django_qaprod.clock import moment
from django_qaprod.models import JobRun
from django_qaprod.worker.schedule import Job

HOURLY = Job(name="x", run=lambda run: None, every=timedelta(hours=1), offset=timedelta(minutes=5))
NOON = 1_700_000_000 // 86400 * 86400 + 12 * 3600


def last(at: float) -> JobRun:
    return JobRun(name="x", started_at=moment(at))


def test_what_never_ran_is_due() -> None:
    assert HOURLY.due(NOON, None)


@pytest.mark.parametrize(
    ("started", "now", "due"),
    [
        (NOON + 300, NOON + 3600 + 299, False),
        (NOON + 300, NOON + 3600 + 300, True),
        # The run began late in its stretch: the next one is on time all the same.
        (NOON + 3600, NOON + 3600 + 300, True),
        # Many were missed: one run makes up for them.
        (NOON - 86400, NOON + 299, True),
        (NOON, NOON + 1, False),
    ],
)
def test_it_is_due_once_in_every_stretch(started: float, now: float, due: bool) -> None:
    assert HOURLY.due(now, last(started)) is due


def test_a_start_that_lies_far_ahead_is_not_believed() -> None:
    assert HOURLY.due(NOON, last(NOON + 86400))
    assert not HOURLY.due(NOON, last(NOON + 60))


def test_the_wait_ends_with_the_next_stretch() -> None:
    assert HOURLY.wait(NOON) == 300
    assert HOURLY.wait(NOON + 301) == 3599
