"""A channel that fails again and again is left alone, ever longer; one success and all is well."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from django_qaprod.clock import now
from django_qaprod.models import Channel
from django_qaprod.store import channels

pytestmark = pytest.mark.django_db(databases="__all__")


def test_it_is_left_alone_after_some_failures_in_a_row_ever_longer() -> None:
    with time_machine.travel("2024-05-01T12:00:00Z", tick=False):
        left = []
        for _ in range(10):
            channels.failed("mail", "dead")
            until = Channel.objects.get().open_until
            left.append(int((until - now()).total_seconds()) // 60 if until else 0)
    assert left == [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert [int(channels.left_for(count).total_seconds()) // 60 for count in range(1, 11)] == left
    assert channels.left_for(10_000) == channels.LEFT_MOST


def test_it_is_tried_again_when_the_time_is_over_and_left_alone_longer_if_that_fails() -> None:
    with time_machine.travel("2024-05-01T12:00:00Z", tick=False) as time:
        for _ in range(channels.OPEN_AFTER):
            channels.failed("mail", "dead")
        assert channels.is_open("mail")
        time.shift(timedelta(seconds=61))
        assert not channels.is_open("mail")
        channels.failed("mail", "still dead")
        time.shift(timedelta(seconds=61))
        assert channels.is_open("mail")


def test_one_success_closes_it_and_the_last_failure_stays_to_be_seen() -> None:
    for _ in range(5):
        channels.failed("mail", "dead\nand buried " + "x" * 1000)
    channels.succeeded("mail")
    row = channels.states()["mail"]
    assert (row.failures, row.open_until) == (0, None)
    assert row.sent_at is not None
    assert row.error.startswith("dead and buried")
    assert len(row.error) <= 500


def test_whom_it_did_not_reach_is_remarked() -> None:
    channels.succeeded("mail", remark="bob: 550")
    row = Channel.objects.get()
    assert (row.failures, row.error) == (0, "bob: 550")
    assert row.failed_at is not None


def test_one_that_was_never_used_is_not_left_alone() -> None:
    assert not channels.is_open("mail")
    assert channels.states() == {}


def test_failures_that_are_counted_at_the_same_time_are_all_counted() -> None:
    """By the database: what this process has read may be old."""
    channels.failed("mail", "dead")
    Channel.objects.update(failures=7)
    channels.failed("mail", "dead")
    assert Channel.objects.get().failures == 8
