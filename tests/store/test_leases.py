from __future__ import annotations

import time
from datetime import timedelta

import pytest

from django_qaprod.models import Lease
from django_qaprod.store import leases

pytestmark = pytest.mark.django_db(databases="__all__")

MINUTE = timedelta(minutes=1)


def test_one_holds_it() -> None:
    assert leases.acquire("work", "a", ttl=MINUTE)
    assert not leases.acquire("work", "b", ttl=MINUTE)
    assert leases.acquire("work", "a", ttl=MINUTE)
    assert Lease.objects.get().holder == "a"


def test_leases_of_different_names_do_not_meet() -> None:
    assert leases.acquire("work", "a", ttl=MINUTE)
    assert leases.acquire("other", "b", ttl=MINUTE)


def test_who_lets_go_lets_the_next_one_in() -> None:
    leases.acquire("work", "a", ttl=MINUTE)
    leases.release("work", "b")
    assert not leases.acquire("work", "b", ttl=MINUTE)
    leases.release("work", "a")
    assert leases.acquire("work", "b", ttl=MINUTE)


def test_it_expires_after_a_crash() -> None:
    leases.acquire("work", "a", ttl=timedelta(seconds=-1))
    assert leases.acquire("work", "b", ttl=MINUTE)
    assert not leases.acquire("work", "a", ttl=MINUTE)


def test_a_machine_whose_clock_is_wrong_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    leases.acquire("work", "a", ttl=MINUTE)
    monkeypatch.setattr(time, "time", lambda: 9_999_999_999.0)
    assert not leases.acquire("work", "b", ttl=MINUTE)
