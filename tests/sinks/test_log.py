from __future__ import annotations

import json
import logging

import pytest

from django_qaprod.records import EventRecord, FlagRecord
from django_qaprod.sinks.log import LogSink
from django_qaprod.typing import Sink
from tests.store.make import batch, cell, failure, numbers, trouble


@pytest.fixture(autouse=True)
def _everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "qaprod")


def test_it_is_a_sink() -> None:
    sink = LogSink()
    assert isinstance(sink, Sink)
    sink.close()


def test_a_failure_is_one_line_at_its_severity(caplog: pytest.LogCaptureFixture) -> None:
    LogSink().write(batch(failure(severity="critical", route="apply/"), failure(severity="warning")))
    first, second = caplog.records
    assert (first.levelno, second.levelno) == (logging.CRITICAL, logging.WARNING)
    word, _, fields = first.getMessage().partition(" ")
    assert word == "failure"
    assert json.loads(fields)["route"] == "apply/"
    assert first.qaprod == json.loads(fields)  # type: ignore[attr-defined]


@pytest.mark.parametrize("hostile", ["two\nlines", "\x1b[31mred", "a\r\nb", "\u2028", "nul\x00", "\ud800"])
def test_a_record_is_one_line_whatever_it_says(caplog: pytest.LogCaptureFixture, hostile: str) -> None:
    LogSink().write(batch(failure(message=hostile)))
    (record,) = caplog.records
    assert record.getMessage().isprintable()
    assert record.getMessage().isascii()


def test_events_and_our_own_troubles_are_lines_too(caplog: pytest.LogCaptureFixture) -> None:
    event = EventRecord(
        id="1", at=1.0, journey="J", step="started", subject="7", properties={"form": "short"}
    )
    flag = FlagRecord(id="2", at=1.0, name="short form", note="active on")
    LogSink().write(batch(event, flag, trouble(dropped={"spool.full": 3})))
    assert [(record.levelno, record.getMessage().split()[0]) for record in caplog.records] == [
        (logging.INFO, "event"),
        (logging.INFO, "flag"),
        (logging.WARNING, "health"),
    ]


def test_numbers_are_one_line_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    LogSink().write(
        batch(numbers(cell(count=3), cell(label="b/", count=4)), numbers(cell("qaprod.failures")))
    )
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.qaprod == {"cells": 3, "requests": 7}  # type: ignore[attr-defined]


def test_a_level_that_nobody_listens_to_is_not_formatted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "qaprod")
    LogSink().write(batch(failure(), numbers(cell())))
    assert not caplog.records
