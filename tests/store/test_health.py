from __future__ import annotations

import time

import pytest

from django_qaprod.models import Health
from django_qaprod.sinks.database import DatabaseSink

from .make import batch, trouble

pytestmark = pytest.mark.django_db(databases="__all__")


def test_troubles_add_up_by_machine_and_part() -> None:
    now = time.time()
    DatabaseSink().write(
        batch(
            trouble(
                at=now, errors={"drainer": 2}, dropped={"spool.full": 5}, words={"drainer": "drainer: boom"}
            ),
            trouble(at=now - 60, errors={"drainer": 1}, words={"drainer": "drainer: older"}),
            trouble(host="web-2", dropped={"spool.full": 1}),
        )
    )
    DatabaseSink().write(batch(trouble(errors={"drainer": 1}), segment="other"))
    rows = {(row.host, row.part): (row.errors, row.dropped, row.last_error) for row in Health.objects.all()}
    assert rows == {
        ("web-1", "drainer"): (4, 0, "drainer: boom"),
        ("web-1", "spool.full"): (0, 5, ""),
        ("web-2", "spool.full"): (0, 1, ""),
    }
