"""``docs/sentry.md`` and the code say the same."""

from __future__ import annotations

from pathlib import Path

from django_qaprod.sinks.sentry import flood, transport

PAGE = (Path(__file__).parents[3] / "docs/sentry.md").read_text()


def test_the_numbers_are_those_of_the_code() -> None:
    assert flood.MOST == 10
    assert "ten events of a failure and minute" in PAGE
    assert f"for more than {transport.ANSWER_WITHIN:.0f} seconds" in PAGE
    assert transport.LEFT_ALONE_MOST == 3600
