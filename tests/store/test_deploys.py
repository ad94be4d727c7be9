from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Deploy
from django_qaprod.store import deploys

pytestmark = pytest.mark.django_db(databases="__all__")


def current() -> str:
    return deploys.current(using=telemetry_alias())


def test_a_release_goes_live() -> None:
    deploys.announce("r1")
    deploys.announce("r2", note="the new form")
    assert current() == "r2"
    assert Deploy.objects.get(release="r2").note == "the new form"


def test_one_that_was_seen_before_it_was_announced_only_gets_the_note() -> None:
    seen = Deploy.objects.create(release="r1", at=timezone.now() - timedelta(minutes=5))
    assert deploys.announce("r1", note="hello").at == seen.at
    assert Deploy.objects.get().note == "hello"


def test_a_rollback_goes_live_again() -> None:
    Deploy.objects.create(release="r1", at=timezone.now() - timedelta(days=2), note="one")
    Deploy.objects.create(release="r2", at=timezone.now() - timedelta(days=1))
    deploys.announce("r1")
    assert current() == "r1"
    assert Deploy.objects.get(release="r1").note == "one"


def test_without_deploys_there_is_no_current_release() -> None:
    assert current() == ""
