"""Colours are for people at a terminal who want them."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from django_qaprod.logs import ConsoleFormatter

from .written import record


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def is_coloured(stdout: io.StringIO | None = None, **options: bool) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        return "\x1b" in ConsoleFormatter(**options).format(record("x", extra={"a": 1}))


def test_a_terminal_gets_them_and_a_pipe_gets_none() -> None:
    assert is_coloured(Terminal())
    assert not is_coloured(io.StringIO())
    assert not is_coloured(None)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR])
def test_they_are_ended(level: int) -> None:
    line = ConsoleFormatter(colours=True).format(record("x", level=level, extra={"a": 1}))
    assert line.count("\x1b[0m") == line.count("\x1b") / 2 > 0


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_none_gets_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert not is_coloured(Terminal())


def test_an_empty_no_color_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert is_coloured(Terminal())


def test_who_says_so_is_believed() -> None:
    assert not is_coloured(Terminal(), colours=False)
    assert is_coloured(io.StringIO(), colours=True)
