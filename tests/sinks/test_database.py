from __future__ import annotations

import logging
import uuid
from typing import Any
from unittest import mock

import pytest
from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connections,
    transaction,
)

from django_qaprod.conf import telemetry_alias
from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.models import Bucket, Cursor, Event, Failure, Health, Series
from django_qaprod.records import EventRecord, new_id
from django_qaprod.sinks.database import DatabaseSink
from django_qaprod.store import intake
from django_qaprod.typing import Sink
from tests.store.make import batch, cell, failure, numbers, trouble

pytestmark = pytest.mark.django_db(databases="__all__")


def event(**fields: Any) -> EventRecord:
    values = {"id": new_id(), "at": 1_700_000_000.0, "journey": "J", "step": "started", "subject": "1"}
    return EventRecord(**values | fields)


def test_it_is_a_sink() -> None:
    assert isinstance(DatabaseSink(), Sink)


class TestExactlyOnce:
    def test_a_batch_that_comes_again_is_stored_once(self) -> None:
        records = [failure(), numbers(cell()), trouble(errors={"drainer": 1})]
        DatabaseSink().write(batch(*records))
        DatabaseSink().write(batch(*records))
        assert Failure.objects.get().count == 1
        assert Bucket.objects.filter(series__label="apply/").count() == 1
        assert Health.objects.get().errors == 1

    def test_of_a_batch_that_is_stored_in_part_the_rest_is_stored(self) -> None:
        records = [failure() for _ in range(5)]
        DatabaseSink().write(batch(*records[:3]))
        DatabaseSink().write(batch(*records))
        assert Failure.objects.get().count == 5
        assert Cursor.objects.get().position == 5

    def test_segments_do_not_know_each_other(self) -> None:
        sink = DatabaseSink()
        sink.write(batch(failure(), segment="a"))
        sink.write(batch(failure(), segment="b"))
        assert Failure.objects.get().count == 2

    def test_a_batch_that_fails_leaves_nothing(self) -> None:
        sink = DatabaseSink()
        broken = mock.patch("django_qaprod.store.health.save", side_effect=ValueError("a broken record"))
        with broken, pytest.raises(ValueError, match="broken"), transaction.atomic(using=telemetry_alias()):
            sink.write(batch(failure(), numbers(cell())))
        assert not Failure.objects.exists()
        assert not Cursor.objects.exists()
        sink.write(batch(failure(), numbers(cell())))
        assert Failure.objects.get().count == 1
        assert Bucket.objects.filter(series__label="apply/").count() == 1

    def test_an_empty_batch_is_nothing(self) -> None:
        DatabaseSink().write(batch())
        assert not Cursor.objects.exists()


class TestEvents:
    def test_a_spooled_event_is_stored_once(self) -> None:
        record = event()
        DatabaseSink().write(batch(record))
        DatabaseSink().write(batch(record, segment="again"))
        assert Event.objects.get().pk == uuid.UUID(record.id)


class TestUnavailable:
    @pytest.mark.parametrize(
        "error", [OperationalError("database is locked"), InterfaceError("connection closed")]
    )
    def test_a_database_that_cannot_be_reached_is_to_be_tried_again(self, error: Exception) -> None:
        with mock.patch.object(intake, "save", side_effect=error), pytest.raises(SinkUnavailableError):
            DatabaseSink().write(batch(failure()))

    def test_missing_tables_are_waited_for_with_one_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        missing = ProgrammingError('relation "qaprod_failure" does not exist')
        missing.__cause__ = UndefinedTableError()
        sink = DatabaseSink()
        with (
            mock.patch.object(intake, "save", side_effect=missing),
            caplog.at_level(logging.WARNING, "django_qaprod"),
        ):
            for _ in range(3):
                with pytest.raises(SinkUnavailableError):
                    sink.write(batch(failure()))
        assert len(caplog.records) == 1
        assert "migrate" in caplog.text

    @pytest.mark.parametrize(
        "error", [ProgrammingError("can't adapt"), OverflowError("too large"), ValueError("NUL")]
    )
    def test_what_a_record_is_to_blame_for_is_not_waited_for(self, error: Exception) -> None:
        with mock.patch.object(intake, "save", side_effect=error), pytest.raises(type(error)):
            DatabaseSink().write(batch(failure()))

    def test_a_row_pruned_behind_its_back_is_made_anew(self) -> None:
        sink = DatabaseSink()
        sink.write(batch(numbers(cell())))
        Bucket.objects.all().delete()
        Series.objects.all().delete()
        real, first = intake.save, [IntegrityError("foreign key")]

        def save(*args: Any, **kwargs: Any) -> None:
            if first:
                raise first.pop()
            real(*args, **kwargs)

        with mock.patch.object(intake, "save", save):
            sink.write(batch(numbers(cell()), after=1))
        assert Series.objects.get().buckets.count() == 1


def test_closing_leaves_somebody_elses_transaction_alone() -> None:
    DatabaseSink().close()
    assert connections[telemetry_alias()].connection is not None


class UndefinedTableError(Exception):
    sqlstate = "42P01"
