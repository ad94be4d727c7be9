"""What a record tells, as Sentry has it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from django_qaprod.options import Sentry
from django_qaprod.pipeline import failures
from django_qaprod.records import FailureRecord, LogLine
from django_qaprod.sinks.sentry.events import event_of
from django_qaprod.testing import Records
from tests.recorded import records as records
from tests.store.make import failure


def recorded(records: Records, error: BaseException, **particulars: Any) -> FailureRecord:
    failures.report_exception(error, kind=particulars.pop("kind", "unhandled"), **particulars)
    return records.failures[-1]


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def exceptions(record: FailureRecord) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = event_of(record, Sentry())["exception"]["values"]
    return values


def test_what_happened_to_whom_and_where() -> None:
    record = failure(
        "v1:a",
        at=1714557600.25,
        severity="critical",
        kind="degraded",
        served=True,
        name="school search",
        culprit="jobs.views.apply",
        journey="applying",
        subject="17",
        route="apply/<int:pk>/",
        method="POST",
        request_id="r" * 32,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
        user="7",
        browser="Firefox",
        release="2024.1",
        lines=(LogLine(at=1714557600.0, level="CRITICAL", logger="jobs", message="careful"),),
        extra={"served": "received", "step": "started", "rung": "view"},
    )
    event = event_of(record, Sentry(tags={"team": "jobs\nand more"}))
    assert event.pop("exception")
    assert event == {
        "event_id": record.id,
        "timestamp": 1714557600.25,
        "level": "fatal",
        "transaction": "apply/<int:pk>/",
        "release": "2024.1",
        "server_name": "web-1",
        "user": {"id": "7"},
        "tags": {
            "team": "jobs and more",
            "qaprod.failure": "v1:a",
            "qaprod.kind": "degraded",
            "journey": "applying",
            "step": "started",
            "route": "apply/<int:pk>/",
            "request_id": "r" * 32,
            "degraded": "true",
            "rescued": "true",
        },
        "contexts": {
            "qaprod": {
                "failure": "v1:a",
                "name": "school search",
                "culprit": "jobs.views.apply",
                "served": True,
                "method": "POST",
                "request_id": "r" * 32,
                "trace_id": "0af7651916cd43dd8448eb211c80319c",
                "span_id": "b7ad6b7169203331",
            },
            "trace": {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"},
            "browser": {"name": "Firefox"},
        },
        "breadcrumbs": {
            "values": [
                {
                    "type": "log",
                    "timestamp": 1714557600.0,
                    "level": "fatal",
                    "category": "jobs",
                    "message": "careful",
                }
            ]
        },
        "extra": {"served": "received", "step": "started", "rung": "view"},
    }, "and no subject: whose application it is stays here"


def test_an_event_has_our_fingerprint_when_asked() -> None:
    assert "fingerprint" not in event_of(failure("v1:a"), Sentry())
    assert event_of(failure("v1:a"), Sentry(fingerprint=True))["fingerprint"] == ["v1:a"]


def test_an_exception_has_its_frames_with_the_lines_around(records: Records) -> None:
    (value,) = exceptions(recorded(records, raised(ValueError("no school"))))
    assert (value["type"], value["value"]) == ("ValueError", "no school")
    assert "module" not in value
    frame = value["stacktrace"]["frames"][-1]
    assert frame["filename"] == "tests/sinks/sentry/test_events.py"
    assert (frame["module"], frame["function"]) == (__name__, "raised")
    assert frame["in_app"] is True
    assert frame["context_line"] == "        raise error"
    assert frame["pre_context"][-1] == "    try:"
    assert frame["post_context"][0] == "    except BaseException as caught:"
    assert "vars" not in frame


def test_a_chain_is_told_from_its_beginning(records: Records) -> None:
    error = LookupError("no vacancy")
    error.add_note("asked by the search")
    error.__cause__ = raised(ConnectionError("no database"))
    cause, last = exceptions(recorded(records, raised(error)))
    assert (cause["type"], last["type"]) == ("ConnectionError", "LookupError")
    assert last["value"] == "no vacancy\nasked by the search"
    assert last["mechanism"] == {"type": "qaprod", "handled": False, "exception_id": 0}
    assert cause["mechanism"] == {
        "type": "chained",
        "handled": False,
        "exception_id": 1,
        "parent_id": 0,
        "source": "__cause__",
    }


def test_a_group_names_its_members(records: Records) -> None:
    second = KeyError("two")
    second.__context__ = ValueError("before two")
    group = ExceptionGroup("several", [ValueError("one"), second, OSError("three")])
    values = exceptions(recorded(records, raised(group)))[::-1]
    assert [value["mechanism"]["exception_id"] for value in values] == [0, 1, 2, 3, 4]
    told = [
        (value["type"], value["mechanism"].get("parent_id"), value["mechanism"].get("source"))
        for value in values
    ]
    assert told == [
        ("ExceptionGroup", None, None),
        ("ValueError", 0, "exceptions[0]"),
        ("KeyError", 0, "exceptions[1]"),
        ("ValueError", 2, "__context__"),
        ("OSError", 0, "exceptions[2]"),
    ]
    assert values[0]["mechanism"]["is_exception_group"] is True


@pytest.mark.parametrize(
    ("kind", "handled"),
    [("unhandled", False), ("task", False), ("command", False), ("degraded", True), ("logged", True)],
)
def test_an_event_says_whether_somebody_caught_it(kind: Any, handled: bool, records: Records) -> None:
    (value,) = exceptions(recorded(records, ValueError("x"), kind=kind))
    assert value["mechanism"]["handled"] is handled


def test_a_log_record_without_an_exception_is_a_message(records: Records) -> None:
    logging.getLogger("jobs.views").error("no vacancy %d", 3)
    event = event_of(records.failures[0], Sentry())
    assert "exception" not in event
    assert event["logger"] == "jobs.views"
    assert event["logentry"] == {"formatted": "no vacancy 3"}
    (thread,) = event["threads"]["values"]
    assert "no vacancy" in thread["stacktrace"]["frames"][0]["context_line"]


def test_a_log_record_with_an_exception_is_the_exception(records: Records) -> None:
    logging.getLogger("jobs.views").error("it failed", exc_info=raised(ValueError("no school")))
    event = event_of(records.failures[0], Sentry())
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["logger"] == "jobs.views"


def test_an_error_without_frames_is_told_all_the_same() -> None:
    event = event_of(failure(frames="[]", error_type="jobs.errors.NoVacancy"), Sentry())
    assert event["exception"]["values"] == []
    recorded_words = failure(
        error_type="jobs.errors.NoVacancy", chain=(), message="no vacancy", frames="[[]]", name="jobs.tasks.x"
    )
    assert event_of(recorded_words, Sentry())["transaction"] == "jobs.tasks.x"
