"""A gauge that cannot work is refused where it is declared; one that can is registered and left as it is."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from django_qaprod import gauge, metrics, registry
from django_qaprod.exceptions import DeclarationError


def test_a_gauge_is_registered_with_what_it_was_given() -> None:
    @gauge("queue.dead_letters", every=300, unit="{message}", timeout=2.5, limit=1000)
    def dead_letters() -> int:
        """How many messages nobody could deliver.

        They wait for a person.
        """
        return 3

    (spec,) = registry.gauges()
    assert (spec.name, spec.every, spec.timeout, spec.unit, spec.limit) == (
        "queue.dead_letters", 300, 2.5, "{message}", 1000,
    )  # fmt: skip
    assert spec.description == "How many messages nobody could deliver."
    assert dead_letters() == 3, "the function can still be called"


def test_what_is_left_out_has_a_default() -> None:
    gauge("a")(lambda: 1)
    (spec,) = registry.gauges()
    assert (spec.every, spec.timeout, spec.unit, spec.description, spec.limit) == (60, 10, "", "", None)


async def areading() -> float:
    return 0.5


def with_defaults(queue: str = "default", *, limit: int = 3) -> int:
    return limit


class Queue:
    def length(self) -> int:
        return 1

    def __call__(self) -> int:
        return 2


@pytest.mark.parametrize(
    "function",
    [areading, with_defaults, Queue().length, Queue(), functools.partial(with_defaults, "x")],
)
def test_whatever_can_be_called_without_arguments_is_taken(function: Any) -> None:
    assert gauge("a")(function) is function
    assert registry.gauges()[0].read is function


@pytest.mark.parametrize("name", ["a", "Queue.dead_letters", "a-b/c.d_e9", "x" * 100])
def test_names_are_those_of_opentelemetry(name: str) -> None:
    gauge(name)(lambda: 1)
    assert registry.gauges()[0].name == name


@pytest.mark.parametrize(
    "name",
    ["", "1st", "_a", "a b", "a\n", "größe", "a:b", "a|c", "<script>", "x" * 101, *metrics.UNITS, "qaprod.x",
     "http.server.request.duration"],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"name"):
        gauge(name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 4.9}, "from 5 to 86400, not 4.9"),
        ({"every": 86_401}, "from 5 to 86400"),
        ({"every": "60"}, "from 5 to 86400"),
        ({"every": True}, "from 5 to 86400"),
        ({"every": float("nan")}, "from 5 to 86400"),
        ({"every": None}, "from 5 to 86400"),
        ({"timeout": 0}, "above 0, at most 300"),
        ({"timeout": 301}, "above 0, at most 300"),
        ({"timeout": float("nan")}, "above 0, at most 300"),
        ({"unit": "{open order}"}, "without spaces.*not '{open order}'"),
        ({"unit": "€"}, "ASCII characters.*not '€'"),
        ({"unit": "By\n"}, "without spaces"),
        ({"unit": None}, "not None"),
        ({"unit": "x" * 41}, "at most 40"),
        ({"unit": "{message"}, "in braces.*not '{message'"),
        ({"unit": "message}"}, "in braces"),
        ({"unit": "{}"}, "in braces"),
        ({"unit": "{a{b}}"}, "in braces"),
        ({"limit": float("inf")}, "limit"),
        ({"limit": "1"}, "limit"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        gauge("a", **options)


@pytest.mark.parametrize(
    "unit", ["", "1", "%", "By/s", "{message}", "{file_descriptor}/s", "Cel", "m[H2O]", "x" * 40]
)
def test_units_are_those_of_ucum(unit: str) -> None:
    gauge("a", unit=unit)(lambda: 1)
    assert registry.gauges()[0].unit == unit


@pytest.mark.parametrize("function", [None, 3, int, Queue, lambda queue: 1, Queue.length])
def test_what_cannot_be_asked_without_arguments_is_refused(function: Any) -> None:
    with pytest.raises(DeclarationError, match=r"decorates a function|asked without arguments"):
        gauge("a")(function)


def test_without_parentheses_it_says_what_is_missing() -> None:
    with pytest.raises(DeclarationError, match=r'@gauge\("queue\.dead_letters"\)'):
        gauge(areading)  # type: ignore[arg-type]


def test_a_name_that_another_function_has_is_refused() -> None:
    gauge("a")(areading)
    with pytest.raises(DeclarationError, match=r"already declared, tests\.gauges\.test_declaring\.areading"):
        gauge("a")(with_defaults)


def test_a_module_that_is_imported_again_replaces_its_own() -> None:
    gauge("a", every=60)(areading)
    gauge("a", every=90)(areading)
    assert [spec.every for spec in registry.gauges()] == [90]


def test_what_was_declared_in_isolation_is_forgotten() -> None:
    gauge("a")(areading)
    before = registry.gauges()
    with registry.isolated():
        gauge("b")(areading)
        assert len(registry.gauges()) == 2
    assert registry.gauges() == before
