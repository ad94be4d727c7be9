"""What is asked for in logs and goes nowhere is said."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from django_qaprod import checks as all_checks
from django_qaprod import conf
from django_qaprod.logs import checks


@pytest.fixture
def heard() -> Iterator[logging.Logger]:
    """Let the logger ``qaprod`` be heard at INFO."""
    logger, handler = logging.getLogger("qaprod"), logging.NullHandler()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger
    logger.removeHandler(handler)
    logger.setLevel(before)


def found() -> list[CheckMessage]:
    return list(checks.check())


def the(number: str) -> CheckMessage:
    [message] = [message for message in found() if message.id == f"qaprod.{number}"]
    return message


def test_nothing_asked_for_is_nothing_wrong(settings: Settings) -> None:
    settings.QAPROD = {}
    assert found() == []


def test_a_field_whose_name_sounds_like_a_secret_s_is_an_error(settings: Settings, heard: object) -> None:
    settings.QAPROD = {"USAGE_FIELDS": {"paid": ("amount", "card_number")}}
    message = the("E022")
    assert "'card_number' for 'paid'" in message.msg
    assert "another name" in (message.hint or "")


@pytest.mark.parametrize(
    ("key", "value", "logger"),
    [
        ("LOG_REQUESTS", True, "qaprod.request"),
        ("LOG_STEPS", True, "qaprod.step"),
        ("USAGE_FIELDS", {"paid": ("amount",)}, "qaprod.usage"),
    ],
)
def test_lines_that_nobody_hears_are_warned_of(
    settings: Settings, heard: logging.Logger, key: str, value: object, logger: str
) -> None:
    settings.QAPROD = {key: value}
    settings.MIDDLEWARE = [conf.MIDDLEWARE]
    assert found() == []
    heard.setLevel(logging.WARNING)
    assert f"QAPROD['{key}'] is set, but nobody hears what the logger '{logger}'" in the("W022").msg
    heard.setLevel(logging.INFO)
    heard.handlers[0].setLevel(logging.ERROR)
    heard.propagate = False
    try:
        assert "logging_config()" in (the("W022").hint or "")
    finally:
        heard.propagate = True


def test_requests_that_nothing_ends_are_warned_of(settings: Settings, heard: object) -> None:
    settings.QAPROD = {"LOG_REQUESTS": True}
    settings.MIDDLEWARE = []
    assert "none is logged" in the("W023").msg


def test_they_are_among_all_checks(settings: Settings, heard: object) -> None:
    settings.QAPROD = {"USAGE_FIELDS": {"paid": ("pin",)}}
    assert "qaprod.E022" in [message.id for message in all_checks.check_always()]


def test_every_id_has_a_test() -> None:
    here, source = Path(__file__).read_text(), Path(checks.__file__).read_text()
    assert set(re.findall(r"\b[EWI]\d{3}\b", source)) == set(re.findall(r"\b[EWI]\d{3}\b", here))
