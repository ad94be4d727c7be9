"""Each record is one line that says what the record says, by names that log stores know."""

from __future__ import annotations

import json
import logging
import os
import pickle
import threading
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from django_qaprod.exceptions import DeclarationError
from django_qaprod.logs import ConsoleFormatter, JSONFormatter, KeyValueFormatter, errors, formatting
from django_qaprod.logs.lines import MAX_EXTRAS
from django_qaprod.pipeline import guard, process
from django_qaprod.sinks.log import LogSink
from django_qaprod.testing import Records
from tests.store.make import batch, failure

from .written import FORMATTERS, ecs, kept, otel, raised, record, splunk

every_formatter = pytest.mark.parametrize("name", FORMATTERS)


class Broken:
    """An object that cannot say what it is."""

    def __str__(self) -> str:
        raise LookupError("no words")

    __repr__ = __str__


class TestNames:
    def test_ecs_has_its_own(self) -> None:
        made = record("no vacancy %d", 3, level=logging.WARNING)
        made.created = 1_700_000_000.25
        assert ecs(made) == {
            "@timestamp": "2023-11-14T22:13:20.250000Z",
            "log.level": "warning",
            "message": "no vacancy 3",
            "log.logger": "jobs.views",
            "process.pid": os.getpid(),
            "ecs.version": "8.11.0",
        }

    def test_opentelemetry_s_log_data_model_has_its_own(self) -> None:
        made = record("no vacancy %d", 3, level=logging.WARNING)
        made.created = 1_700_000_000.25
        assert otel(made) == {
            "timestamp": "2023-11-14T22:13:20.250000Z",
            "severity_text": "WARNING",
            "severity_number": 13,
            "body": "no vacancy 3",
            "scope": {"name": "jobs.views"},
            "resource": {},
            "attributes": {"process.pid": os.getpid()},
        }

    def test_key_and_value_have_ours(self) -> None:
        made = record("no vacancy %d", 3)
        made.created = 1_700_000_000.25
        assert KeyValueFormatter().format(made) == (
            "timestamp=2023-11-14T22:13:20.250000Z level=INFO logger=jobs.views "
            f'pid={os.getpid()} message="no vacancy 3"'
        )

    def test_a_person_reads_time_level_logger_and_message(self) -> None:
        made = record("no vacancy %d", 3, extra={"school": 7})
        clock = time.strftime("%H:%M:%S", time.localtime(made.created))
        assert (
            ConsoleFormatter(colours=False).format(made)
            == f"{clock} INFO     jobs.views: no vacancy 3  school=7"
        )

    @pytest.mark.parametrize(
        ("level", "number"), [(5, 1), (10, 5), (20, 9), (25, 9), (30, 13), (40, 17), (50, 21), (70, 21)]
    )
    def test_levels_are_severities(self, level: int, number: int) -> None:
        assert otel(record("x", level=level))["severity_number"] == number

    @pytest.mark.parametrize("fields", ["gelf", ["ecs"]])
    def test_other_names_are_refused(self, fields: Any) -> None:
        with pytest.raises(DeclarationError, match=r"fields is one of 'otel', 'ecs', not .*(gelf|ecs)"):
            JSONFormatter(fields=fields)

    @pytest.mark.parametrize("formatter", [JSONFormatter, KeyValueFormatter, ConsoleFormatter])
    def test_a_resource_that_is_no_text_by_name_is_refused(self, formatter: Any) -> None:
        with pytest.raises(DeclarationError, match="resource is a dict"):
            formatter(resource="jobs")

    def test_every_line_says_what_wrote_it(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_SERVICE_NAME", "jobs")
        formatter = JSONFormatter(fields="ecs", resource={"service.environment": "production"})
        expected = {"service.name": "jobs", "service.environment": "production"}
        for release in ("1.0", "2.0"):
            settings.QAPROD = {"RELEASE": release}
            found = json.loads(formatter.format(record("x")))
            assert {**found, **expected, "service.version": release} == found
        assert otel(record("x"))["resource"] == {"service.version": "2.0", "service.name": "jobs"}
        assert splunk(KeyValueFormatter().format(record("x")))["service_version"] == "2.0"

    def test_what_is_given_goes_before_what_is_found(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_SERVICE_NAME", "jobs")
        settings.QAPROD = {"RELEASE": "1.0"}
        given = {"service.name": "mine", "service.version": "3"}
        assert json.loads(JSONFormatter(resource=given).format(record("x")))["resource"] == given


class TestExtras:
    def test_they_stand_apart_so_that_no_field_gets_another_type(self) -> None:
        made = record("x", extra={"error": "none", "vacancy": 3, "tags": ["a", "b"], "request_id": 5})
        assert {key: value for key, value in ecs(made).items() if key.startswith("extra.")} == {
            "extra.error": "none",
            "extra.vacancy": 3,
            "extra.tags": ["a", "b"],
            "extra.request_id": 5,
        }
        assert otel(made)["attributes"]["extra.vacancy"] == 3
        found = splunk(KeyValueFormatter().format(made))
        assert (found["vacancy"], found["error"], found["extra_request_id"]) == ("3", "none", "5")

    def test_values_are_plain_data(self) -> None:
        given = {
            "day": date(2025, 1, 2),
            "price": Decimal("1.50"),
            "key": UUID(int=1),
            "nan": float("nan"),
            "huge": 2**63,
            "whole": {"deep": [1, None, True]},
            "limits": {"low": 1.5, "high": float("inf"), "all": [2**63 - 1, (2**63, -(10**5000))]},
            "thing": object(),
            "broken": Broken(),
        }
        found = {key[6:]: value for key, value in ecs(record("x", extra=given)).items() if "extra" in key}
        assert found == {
            "day": "2025-01-02",
            "price": "1.50",
            "key": str(UUID(int=1)),
            "nan": None,
            "huge": None,
            "whole": {"deep": [1, None, True]},
            "limits": {"low": 1.5, "high": None, "all": [2**63 - 1, [None, None]]},
            "thing": "<object>",
            "broken": "<Broken>",
        }

    def test_numbers_that_no_store_can_hold_are_left_out_of_pairs(self) -> None:
        line = KeyValueFormatter().format(record("x", extra={"limits": {"low": 1.5, "high": float("inf")}}))
        assert "limits_low=1.5" in line
        assert "limits_high" not in line

    @every_formatter
    def test_no_user_is_looked_up_to_be_shown(self, name: str) -> None:
        asked: list[int] = []
        user = SimpleLazyObject(lambda: asked.append(1) or User(pk=7))
        FORMATTERS[name]().format(record("x", extra={"user": user, "route": user, "user_id": user}))
        assert not asked

    def test_they_are_bounded(self) -> None:
        given: dict[str, Any] = {f"name{number}": "x" * 900 for number in range(100)}
        line = JSONFormatter().format(record("x", extra=given))
        extras = {key: value for key, value in json.loads(line)["attributes"].items() if "extra" in key}
        assert len(extras) == MAX_EXTRAS
        assert len(line) < 15_000
        assert list(extras.values())[-1] == "…"

    def test_django_s_request_is_none(self) -> None:
        made = record("Not Found", extra={"request": object(), "status_code": 404})
        assert {key for key in ecs(made) if "extra" in key} == {"extra.status_code"}


class TestErrors:
    def make(self) -> BaseException:
        try:
            try:
                raise KeyError("school")
            except KeyError as error:
                error.add_note("asked by\nthe form")
                raise ConnectionError("no profile") from error
        except ConnectionError as error:
            return error

    def test_they_are_told_by_type_message_and_stack(self) -> None:
        found = ecs(record("could not apply", error=self.make()))
        assert (found["error.type"], found["error.message"]) == ("ConnectionError", "no profile")
        lines = found["error.stack_trace"].split("\n")
        assert [line for line in lines if line and line[0] != " "] == [
            "Traceback (most recent call last):",
            "KeyError: 'school'",
            "asked by",
            "the form",
            "The above exception was the direct cause of the following exception:",
            "Traceback (most recent call last):",
            "ConnectionError: no profile",
        ]
        assert '    raise KeyError("school")' in lines
        attributes = otel(record("could not apply", error=self.make()))["attributes"]
        assert attributes["exception.type"] == "ConnectionError"
        assert attributes["exception.stacktrace"] == found["error.stack_trace"]

    def test_what_happened_meanwhile_is_told(self) -> None:
        try:
            try:
                raise KeyError("school")
            except KeyError:
                raise ValueError("another")  # noqa: B904
        except ValueError as error:
            found = ecs(record("x", error=error))
        assert "During handling of the above exception" in found["error.stack_trace"]

    def test_the_members_of_a_group_are_told(self) -> None:
        group = raised(ExceptionGroup("two", [ValueError("one"), self.make()]))
        stack = ecs(record("x", error=group))["error.stack_trace"]
        assert stack.count("One of the exceptions of the group:") == 2
        places = [
            stack.index(words)
            for words in ("ExceptionGroup: two", "ValueError: one", "KeyError: 'school'", "ConnectionError:")
        ]
        assert places == sorted(places)

    def test_a_deep_recursion_is_bounded(self) -> None:
        def deeper(number: int) -> int:
            return deeper(number + 1)

        error: BaseException
        try:
            deeper(0)
        except RecursionError as caught:
            error = caught
        stack = ecs(record("x", error=error))["error.stack_trace"]
        assert len(stack) < 12_000
        assert "frames left out" in stack
        assert "RecursionError: maximum recursion depth exceeded" in stack

    def test_the_failure_that_was_recorded_of_it_is_named(self, records: Records) -> None:
        with kept("jobs") as lines:
            logging.getLogger("jobs.views").error("no", exc_info=self.make())
        (recorded,) = records.failures
        (line,) = lines.objects
        assert line["qaprod.occurrence.id"] == recorded.id
        assert line["qaprod.fingerprint"] == recorded.fingerprint
        assert line["error.message"] == recorded.message

    def test_one_of_which_only_text_is_left_is_told_too(self) -> None:
        made = record("x")
        made.exc_text = "Traceback …\nValueError: from elsewhere"
        assert ecs(made)["error.stack_trace"] == made.exc_text

    def test_where_it_was_logged_is_told_if_asked(self) -> None:
        made = record("x", stack_info="Stack (most recent call last):\n  here")
        assert ecs(made)["code.stacktrace"] == made.stack_info
        assert otel(made)["attributes"]["code.stacktrace"] == made.stack_info

    def test_exc_info_without_an_exception_is_nothing(self) -> None:
        made = record("x")
        made.exc_info = (None, None, None)
        assert "error.type" not in ecs(made)


class TestRobust:
    @every_formatter
    @pytest.mark.parametrize(
        ("message", "arguments", "left"),
        [
            ("%d apples", ("many",), "%d apples"),
            ("%s and %s", ("one",), "%s and %s"),
            ("%s", (Broken(),), "<Broken>"),
            ("%(one)s", ({"two": 1},), "%(one)s"),
            (Broken(), (), "<Broken>"),
            (None, (), "None"),
            ({"a": 1}, (), "{'a': 1}"),
        ],
    )
    def test_what_cannot_be_formatted_is_a_line(
        self, name: str, message: object, arguments: tuple[object, ...], left: str
    ) -> None:
        assert left in FORMATTERS[name]().format(record(message, *arguments))
        guard.take()

    @every_formatter
    @pytest.mark.parametrize(
        "attributes",
        [
            {"created": float("nan")},
            {"created": 1e30},
            {"levelno": "high"},
            {"levelname": None},
            {"name": ["a list"]},
            {"name": None},
            {"process": None},
            {"process": '"'},
            {"": 1, 7: 2},
            {"exc_info": "nonsense"},
            {"exc_info": (1, 2, 3)},
            {"stack_info": 5},
            {"qaprod": "nonsense"},
            {"qaprod_context": "nonsense"},
            {"otelTraceID": 7},
            {"request": 5},
        ],
    )
    def test_a_record_in_no_shape_is_a_line(self, name: str, attributes: dict[str, Any]) -> None:
        made = record("x")
        made.__dict__.update(attributes)
        line = FORMATTERS[name]().format(made)
        assert line
        assert "\n" not in line
        if name in {"otel", "ecs"}:
            json.loads(line)
        guard.take()

    def test_a_failure_of_ours_is_counted_and_a_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def explode(*args: object) -> None:
            raise RuntimeError("our own bug")

        monkeypatch.setattr("django_qaprod.logs.lines.scrub.text", explode)
        formatting.logger_name.cache_clear()
        guard.take()
        for name, make in FORMATTERS.items():
            line = make().format(record("secret words", name=f"not.seen.before.{name}"))
            assert "(this record cannot be shown)" in line
        tally = guard.take()
        assert tally is not None
        assert tally.errors["logs"] == len(FORMATTERS)

    @every_formatter
    def test_our_own_trouble_with_a_line_makes_no_loop(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def explode(*args: object) -> None:
            raise RuntimeError("our own bug")

        monkeypatch.setattr("django_qaprod.logs.lines.of", explode)
        monkeypatch.setattr(guard, "_counts", guard._Counts())
        with kept(formatter=FORMATTERS[name]()) as lines:
            logging.getLogger("jobs").warning("x")
        # The line, and the guard's word about it.
        assert len(lines.lines) == 2

    def test_a_long_message_is_cut(self) -> None:
        assert len(ecs(record("x" * 1_000_000))["message"]) == 8_000


texts = st.text(st.characters(exclude_categories=()), max_size=40)


class TestOneLine:
    @every_formatter
    @given(message=texts, extra=st.dictionaries(texts, texts, max_size=3), logger=texts, level=texts)
    def test_one_record_is_one_line_whatever_is_in_it(
        self, name: str, message: str, extra: dict[str, str], logger: str, level: str
    ) -> None:
        made = record("%s", message, name=logger)
        made.levelname = level
        made.__dict__.update({f"x{key}": value for key, value in extra.items()})
        made.stack_info = message if name in {"otel", "ecs", "keyvalue"} else None
        line = FORMATTERS[name]().format(made)
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        if name in {"otel", "ecs"}:
            assert line.isascii()
            json.loads(line)

    @pytest.mark.parametrize(
        "hostile", ["\n", "\r\n", "\x85", "\u2028", "\x1b[2J", "\x00", "\u202e", "\ud800"]
    )
    def test_a_traceback_on_a_terminal_is_indented_and_moves_nothing(self, hostile: str) -> None:
        error = raised(ValueError(f"no{hostile}12:00:00 INFO forged"))
        error.add_note(f"a{hostile}note")
        first, *below = ConsoleFormatter(colours=False).format(record("x", error=error)).split("\n")
        assert first.endswith("jobs.views: x")
        assert below
        assert all(line.startswith("    ") and line.isprintable() for line in below)


class TestLogSink:
    """Failures that the log sink writes have the names of other lines, and a message for people."""

    def test_a_failure_is_found_by_the_same_names(self) -> None:
        at = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
        told = failure(
            at=at, error_type="LookupError", message="no school", request_id="r-1", route="apply/", user="7"
        )
        with kept("qaprod") as lines:
            LogSink().write(batch(told))
        (line,) = lines.objects
        assert line["message"] == "failure LookupError: no school"
        assert line["@timestamp"] == "2025-01-02T03:04:05.000000Z"
        assert (line["error.type"], line["error.message"]) == ("LookupError", "no school")
        assert (line["http.request.id"], line["http.route"], line["user.id"]) == ("r-1", "apply/", "7")
        assert line["qaprod.occurrence.id"] == told.id
        assert line["qaprod.fingerprint"] == told.fingerprint
        assert not [key for key in line if key.startswith("extra.")]

    def test_others_get_it_as_json_in_the_message(self) -> None:
        with kept("qaprod", formatter=logging.Formatter("%(message)s")) as lines:
            LogSink().write(batch(failure(message="no school")))
        word, _, fields = lines.lines[0].partition(" ")
        assert word == "failure"
        assert json.loads(fields)["error_message"] == "no school"

    def test_it_survives_the_way_to_another_process(self) -> None:
        made: list[logging.LogRecord] = []
        with kept("qaprod") as lines:
            lines.emit = made.append  # type: ignore[method-assign]
            LogSink().write(batch(failure(message="no school")))
        found = ecs(pickle.loads(pickle.dumps(made[0])))
        assert (found["message"], found["error.message"]) == ("failure ValueError: no school", "no school")


def test_no_extra_stands_for_a_field_of_ours_under_any_spelling() -> None:
    made = logging.LogRecord("jobs", logging.INFO, "jobs.py", 1, "x", (), None)
    made.__dict__ |= {"user-id": "forged", "trace": {"id": "forged"}, "error": {"message": "forged"}}
    line = KeyValueFormatter().format(made)
    for name in ("user_id", "trace_id", "error_message"):
        assert f" extra_{name}=forged" in line
        assert f" {name}=forged" not in line


def test_a_formatter_waits_for_nobody_who_imports() -> None:
    """Whoever imports may be about to log, and waits for the lock under which lines are made."""
    errors._modules.cache_clear()
    told = (ValueError, ValueError("y"), None)
    made = logging.LogRecord("jobs", logging.ERROR, "jobs.py", 1, "x", (), told)
    lines: list[str] = []
    thread = threading.Thread(target=lambda: lines.append(JSONFormatter().format(made)))
    with process.importing:
        thread.start()
        thread.join(60)
        assert "ValueError" in "".join(lines)
