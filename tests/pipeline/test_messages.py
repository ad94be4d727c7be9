from __future__ import annotations

import datetime
import decimal
import logging
import uuid
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy

from django_qaprod.pipeline import guard, messages
from tests.project.shop.models import Order


class Colour(Enum):
    RED = 1


def log_record(msg: Any, *args: Any) -> logging.LogRecord:
    return logging.LogRecord("jobs", logging.ERROR, "f.py", 1, msg, args, None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError(), ""),
        (ValueError("no school"), "no school"),
        (ValueError("no school", 3), "('no school', 3)"),
        (KeyError("school"), "'school'"),
        (FileNotFoundError(2, "No such file", "x.txt"), "[Errno 2] No such file: 'x.txt'"),
        (ValueError(decimal.Decimal("1.5")), "1.5"),
        (ValueError(uuid.UUID(int=0)), str(uuid.UUID(int=0))),
        (ValueError(datetime.date(2024, 1, 2)), "2024-01-02"),
        (ValueError(Path("/a/b")), "/a/b"),
        (ValueError(Colour.RED), "Colour.RED"),
        (ValueError({"a": [1, "b"]}), "{'a': [1, 'b']}"),
        (ValueError(gettext_lazy("Save")), "Save"),
        (ConnectionError(TimeoutError("after 3 s")), "after 3 s"),
        (ValidationError("no %(what)s", params={"what": "school"}), "['no school']"),
        (ExceptionGroup("two", [ValueError(1), ValueError(2)]), "two (2 exceptions)"),
        (ValueError(b"ab"), "b'ab'"),
        (ValueError(object), "<class object>"),
    ],
)
def test_an_error_says_what_it_says(error: BaseException, words: str) -> None:
    assert messages.of_exception(error) == words


def test_a_decoding_error_does_not_show_the_text() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        (b"canary" * 1000 + b"\xff").decode()
    assert "canary" not in messages.of_exception(caught.value)


class RaisingError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("in __str__")


class RecursiveError(Exception):
    def __str__(self) -> str:
        return str(self)


class HugeError(Exception):
    def __str__(self) -> str:
        return "x" * 50_000_000


class LyingError(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]  # noqa: PLE0307


@pytest.mark.parametrize("error", [RaisingError(), RecursiveError(), LyingError()])
def test_a_message_that_cannot_be_rendered_is_replaced(error: Exception) -> None:
    assert messages.of_exception(error) == messages.UNSHOWABLE
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"messages": 1}


@pytest.mark.parametrize("error", [HugeError(), ValueError("x" * 50_000_000), KeyError("x" * 50_000_000, 1)])
def test_a_huge_message_is_cut(error: Exception) -> None:
    assert len(messages.of_exception(error)) <= messages.MAX_MESSAGE


class AskingError(Exception):
    def __str__(self) -> str:
        return f"{Order.objects.count()} orders"


@pytest.mark.django_db
def test_no_message_runs_a_query() -> None:
    user = User.objects.create(username="jan")
    lazy = SimpleLazyObject(lambda: User.objects.get(pk=user.pk))
    orders = Order.objects.all()
    guard.take()
    with CaptureQueriesContext(connection) as queries:
        said = [
            messages.of_exception(error)
            for error in (
                ValueError(orders),
                ValueError("for", lazy),
                KeyError(Order(number="1")),
                ValidationError("no %(user)s", params={"user": lazy}),
                AskingError(),
            )
        ]
        logged = [
            messages.of_log(log_record("for %s", orders)),
            messages.of_log(log_record("for %s and %d", lazy, 3)),
            messages.of_log(log_record(lazy)),
        ]
    assert not queries.captured_queries
    assert said == [
        "<QuerySet>",
        "('for', <SimpleLazyObject>)",
        "<Order>",
        messages.UNSHOWABLE,
        messages.UNSHOWABLE,
    ]
    assert logged == ["for <QuerySet>", "for <SimpleLazyObject> and 3", "<SimpleLazyObject>"]
    assert Order.objects.count() == 0, "the host may ask again afterwards"
    guard.take()


def test_notes_are_read_and_bounded() -> None:
    error = ValueError()
    for number in range(30):
        error.add_note(f"note {number}")
    assert messages.notes_of(error) == tuple(f"note {number}" for number in range(messages.MAX_NOTES))
    error.__notes__ = "not a list"  # type: ignore[assignment]
    assert messages.notes_of(error) == ()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (log_record("plain"), "plain"),
        (log_record("100% sure"), "100% sure"),
        (log_record("%s and %d", "a", 3), "a and 3"),
        (log_record("%(a)s", {"a": 1}), "1"),
        (log_record("%.2f", decimal.Decimal("1.234")), "1.23"),
        (log_record("%d too many", 1, 2), "%d too many"),
        (log_record("%d", "three"), "%d"),
        (log_record(ValueError("as a message")), "as a message"),
        (log_record("%s", ValueError("as an argument")), "as an argument"),
        (log_record(("a", 1)), "['a', 1]"),
    ],
)
def test_a_log_record_says_what_it_says(record: logging.LogRecord, words: str) -> None:
    assert messages.of_log(record) == words


def test_a_huge_log_record_is_cut() -> None:
    assert len(messages.of_log(log_record("%s", "x" * 50_000_000))) <= messages.MAX_MESSAGE
    assert len(messages.of_log(log_record("x" * 50_000_000))) <= messages.MAX_MESSAGE
