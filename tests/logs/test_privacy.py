"""No secret leaves by a line, wherever it was, whichever formatter writes it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.test import RequestFactory
from django.urls import ResolverMatch
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from django_qaprod import context
from django_qaprod.context import Context
from django_qaprod.logs import structlog_processor
from tests.pipeline.test_scrub import CANARY, PLACES, secrets

from .written import FORMATTERS, raised, record

Corner = Callable[[str], logging.LogRecord]


def with_cause(words: str) -> BaseException:
    try:
        try:
            raise KeyError(words)
        except KeyError as error:
            raise ValueError("no") from error
    except ValueError as error:
        return error


def with_context(words: str) -> BaseException:
    try:
        try:
            raise KeyError(words)
        except KeyError:
            raise ValueError("no")  # noqa: B904
    except ValueError as error:
        return error


def with_note(words: str) -> BaseException:
    error = raised(ValueError("no"))
    error.add_note(words)
    return error


def told(words: str, **attributes: Any) -> logging.LogRecord:
    """Make a record of which something was made text already: by a queue, or another formatter."""
    made = record("x")
    made.__dict__.update({name: value.replace("{}", words) for name, value in attributes.items()})
    return made


#: Where in a record a secret may be.
CORNERS: dict[str, Corner] = {
    "the message": lambda words: record(words.replace("%", "%%")),
    "an argument": lambda words: record("it was %s", words),
    "an argument by name": lambda words: record("it was %(what)s", {"what": words}),
    "an argument that is a list": lambda words: record("it was %s", [words]),
    "an object as the message": lambda words: record({"what": words}),
    "an extra": lambda words: record("x", extra={"what": words}),
    "an extra in a list": lambda words: record("x", extra={"what": [1, [words]]}),
    "an extra in a dict": lambda words: record("x", extra={"what": {"deep": {"deeper": words}}}),
    "a key of an extra": lambda words: record("x", extra={"what": {words: 1}}),
    "the name of an extra": lambda words: record("x", extra={words: 1}),
    "the name of the logger": lambda words: record("x", name=words),
    "an exception": lambda words: record("x", error=raised(ValueError(words))),
    "an exception of two arguments": lambda words: record("x", error=raised(ValueError("no", words))),
    "the cause": lambda words: record("x", error=with_cause(words)),
    "what was being handled": lambda words: record("x", error=with_context(words)),
    "a note": lambda words: record("x", error=with_note(words)),
    "a member of a group": lambda words: record("x", error=raised(ExceptionGroup("no", [ValueError(words)]))),
    "the message of a group": lambda words: record("x", error=raised(ExceptionGroup(words, [ValueError()]))),
    "the stack": lambda words: told(words, stack_info="Stack:\n  {}\n  more"),
    "an exception as text": lambda words: told(words, exc_text="Traceback:\nValueError: {}"),
}


@pytest.mark.parametrize("name", FORMATTERS)
@pytest.mark.parametrize("corner", CORNERS)
def test_a_secret_in_any_corner_stays_inside(name: str, corner: str) -> None:
    formatter = FORMATTERS[name]()
    for place in PLACES:
        assert CANARY not in formatter.format(CORNERS[corner](place.format(CANARY))), place


@pytest.mark.parametrize("name", FORMATTERS)
@given(
    secret=secrets,
    place=st.sampled_from(PLACES),
    corner=st.sampled_from(list(CORNERS)),
    before=st.text(max_size=20),
)
def test_no_words_around_a_secret_let_it_through(
    name: str, secret: str, place: str, corner: str, before: str
) -> None:
    made = CORNERS[corner](f"{before} {place.format(secret)}")
    assert secret not in FORMATTERS[name]().format(made)


@pytest.mark.parametrize("name", FORMATTERS)
@pytest.mark.parametrize(
    "extra",
    [
        {"password": CANARY},
        {"password": [CANARY]},
        {"password": {"deep": CANARY}},
        {"userPassword": CANARY},
        {"form": {"api-key": CANARY}},
        {"form": [{"session_id": CANARY}]},
        {"token": object(), "secret": 12345678},
    ],
)
def test_what_stands_under_a_secret_name_stays_inside(name: str, extra: dict[str, Any]) -> None:
    line = FORMATTERS[name]().format(record("x", extra=extra))
    assert CANARY not in line
    assert "12345678" not in line


@pytest.mark.parametrize("corner", ["the stack", "an exception as text"])
def test_no_secret_loses_its_name_where_a_text_is_cut(corner: str) -> None:
    for length in range(7_950, 8_000):
        made = CORNERS[corner](f"password={CANARY}\n{'x ' * (length // 2)}")
        assert CANARY[-7:] not in FORMATTERS["ecs"]().format(made)


@pytest.mark.parametrize("corner", CORNERS)
def test_the_host_s_patterns_count(settings: Settings, corner: str) -> None:
    settings.QAPROD = {"SCRUB_PATTERNS": [r"\bP-\d{4}\b"]}
    for make in FORMATTERS.values():
        assert "P-1234" not in make().format(CORNERS[corner]("of P-1234 we know"))


@pytest.mark.parametrize("name", FORMATTERS)
@pytest.mark.parametrize(
    "corner",
    ["the message", "an argument", "an extra", "an extra in a dict", "an exception", "a note", "the cause"],
)
@pytest.mark.parametrize("path", ["/reset/MQ/c5xk3y/", "/straße/lovelace/"])
def test_the_path_of_a_request_stays_inside(name: str, corner: str, path: str) -> None:
    request = RequestFactory().get(path)
    request.resolver_match = ResolverMatch(lambda: None, (), {}, route="reset/<uid>/<token>/")
    token = context.enter(Context(request))
    try:
        lines = [FORMATTERS[name]().format(CORNERS[corner](f"Not Found: {path}"))]
        if corner != "the cause":
            # As Django logs it; a KeyError would show that with yet more backslashes.
            escaped = path.encode("unicode_escape").decode()
            lines.append(FORMATTERS[name]().format(CORNERS[corner](f"Not Found: {escaped}")))
    finally:
        context.leave(token)
    for line in lines:
        assert "c5xk3y" not in line
        assert "lovelace" not in line
        assert "Not Found: reset/<uid>/<token>/" in line


@pytest.mark.parametrize("name", FORMATTERS)
def test_the_key_of_a_subject_is_scrubbed(name: str, served: Context) -> None:
    served.journey, served.subject = "job_application", "ada@example.org"
    line = FORMATTERS[name]().format(record("x"))
    assert "ada@" not in line
    assert "[email]" in line


@pytest.mark.parametrize("place", PLACES)
def test_structlog_s_events_are_scrubbed(place: str) -> None:
    words = place.format(CANARY)
    with structlog.testing.capture_logs(processors=[structlog_processor]) as events:
        log = structlog.get_logger()
        log.info(words, what=words, deep={"deeper": [words]}, password=CANARY, thing=object())
        log.error("x", exc_info=with_cause(words))
        log.error("x", exc_info=with_note(words))
    assert len(events) == 3
    assert CANARY not in json.dumps(events)
