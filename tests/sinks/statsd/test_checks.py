"""The system checks of ``QAPROD["STATSD"]``."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from django_qaprod import checks


def found(settings: Settings, **options: Any) -> list[str]:
    settings.QAPROD = {"STATSD": options}
    return [f"{message.id} {message.msg}" for message in checks.check_always() if "STATSD" in message.msg]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"PROTOCOL": "tcp", "HOST": "::1", "PORT": 9125},
        {"PROTOCOL": "unix", "PATH": "/run/statsd.socket"},
        {"PREFIX": "shop.live.", "TAG_STYLE": "datadog", "TAGS": {"env": "live/eu"}},
    ],
)
def test_what_can_work_is_not_complained_about(settings: Settings, options: dict[str, Any]) -> None:
    assert found(settings, **options) == []


def test_what_is_off_is_not_checked(settings: Settings) -> None:
    settings.QAPROD = {}
    assert not [message for message in checks.check_always() if "STATSD" in message.msg]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"PROTOCOL": "unix"}, "there is no PATH"),
        ({"PATH": "/run/statsd.socket"}, "PROTOCOL is 'udp'"),
        ({"HOST": ""}, "HOST is empty"),
    ],
)
def test_a_place_that_is_none(settings: Settings, options: dict[str, Any], words: str) -> None:
    (message,) = found(settings, **options)
    assert message.startswith("qaprod.E016")
    assert words in message


@pytest.mark.parametrize(
    ("key", "value"), [("PORT", 0), ("PORT", 65_536), ("MAX_PACKET", 100), ("SAMPLES", 0), ("MAX_AGE", 0)]
)
def test_a_number_that_cannot_work(settings: Settings, key: str, value: int) -> None:
    (message,) = found(settings, **{key: value})
    assert message.startswith("qaprod.E017")
    assert f"[{key!r}] is {value}" in message


def test_tags_that_are_not_sent(settings: Settings) -> None:
    (message,) = found(settings, TAGS={"env": "live"})
    assert message.startswith("qaprod.W016")


@pytest.mark.parametrize(
    "options",
    [
        {"PREFIX": "my shop"},
        {"PREFIX": "Geschäft"},
        {"TAG_STYLE": "datadog", "TAGS": {"env:": "live"}},
        {"TAG_STYLE": "datadog", "TAGS": {"env": "a,b"}},
        {"TAG_STYLE": "datadog", "TAGS": {"env": ""}},
    ],
)
def test_what_goes_out_otherwise_than_it_was_written(settings: Settings, options: dict[str, Any]) -> None:
    (message,) = found(settings, **options)
    assert message.startswith("qaprod.W017")
