"""What changed around alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Deploy
from django_qaprod.queries import circumstances
from tests.queries.conftest import NOW

pytestmark = pytest.mark.django_db(databases="__all__")


def test_a_flag_that_is_saved_again_and_again_pushes_no_release_out(django_assert_num_queries: Any) -> None:
    """Of each kind so many, the latest first; in one query."""
    for minutes in range(1, 6):
        Deploy.objects.create(release=f"f{minutes}", at=NOW - timedelta(minutes=minutes), flag=True)
    for minutes in (3.5, 30, 40, 50):
        Deploy.objects.create(release=f"r{minutes}", at=NOW - timedelta(minutes=minutes))
    since = NOW - timedelta(hours=1)
    with django_assert_num_queries(1, using=telemetry_alias()):
        found = circumstances.deploys(since, NOW)
    assert [one.release for one in found] == ["f1", "f2", "f3", "r3.5", "r30", "r40"]
    assert [one.release for one in circumstances.deploys(since, NOW, most=1)] == ["f1", "f2", "f3", "r3.5"]
    assert [one.release for one in circumstances.deploys(since, NOW, most=1, flags=1)] == ["f1", "r3.5"]
    assert circumstances.deploys(since, NOW - timedelta(minutes=55)) == []
