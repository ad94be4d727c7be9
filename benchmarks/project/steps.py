"""Ways to store an event within a transaction; imported only where django-qaprod is installed."""

from __future__ import annotations

import json
import uuid

from django.db import connection, transaction
from django.utils import timezone

from django_qaprod.models import Event

from .qaprod import JobApplication

_SQL = (
    "INSERT INTO qaprod_event (id, at, journey, step, subject, variant, browser, request_id, release,"
    " properties) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_PROPERTIES = json.dumps({"form_type": "short"})
_AT = "2025-11-23 12:00:00"


def record(number: int) -> None:
    """Take a step, the product's way."""
    JobApplication.submitted.record(number, form_type="short")


def statements(number: int) -> None:
    """Run what is needed at least: a savepoint and one INSERT of values that are there already."""
    identity = f"{number:032x}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _SQL,
            (
                identity,
                _AT,
                "JobApplication",
                "submitted",
                "7",
                "short",
                "Firefox",
                identity,
                "",
                _PROPERTIES,
            ),
        )


def orm(number: int) -> None:
    """Create the row by Django's ORM in a savepoint."""
    with transaction.atomic():
        Event.objects.create(
            id=uuid.uuid4(),
            at=timezone.now(),
            journey="JobApplication",
            step="submitted",
            subject="7",
            variant="short",
            browser="Firefox",
            request_id="0123456789abcdef",
            properties={"form_type": "short"},
        )
