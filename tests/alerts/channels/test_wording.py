"""What a message says is brought into a shape that no receiver stumbles over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.alerts.channels import wording

from .messages import HOSTILE, message


@given(st.text(max_size=500))
def test_a_subject_is_one_line_that_can_be_shown(words: str) -> None:
    subject = wording.subject(message(subject=words))
    assert subject.isprintable()
    assert 0 < len(subject) <= wording.MAX_SUBJECT
    subject.encode()


def test_a_text_keeps_its_lines_and_nothing_else_that_is_not_shown() -> None:
    assert wording.text(message(text="a\r\nb\tc\x00\x1b[31m\u202e\ud800")) == "a\nb\tc\ufffd [31m ?"
    assert len(wording.text(message(text=HOSTILE))) <= wording.MAX_TEXT


def test_html_that_is_too_long_is_left_out() -> None:
    assert wording.html(message(html="<p>" * 100_000)) == ""


@pytest.mark.parametrize(
    "call",
    [
        "<!channel>",
        "<!here|x>",
        "<@U123>",
        "<#C1>",
        "@everyone",
        "x@here",
        "@channel",
        "@all",
        "@ada",
        "<@&5>",
    ],
)
def test_nobody_is_called(call: str) -> None:
    assert call not in wording.calling_nobody(f"say {call} to")
    assert wording.calling_nobody(f"say {call} to").replace("\u200b", "") == f"say {call} to"


@pytest.mark.parametrize("words", ["ada@example.org", "1 < 2! @ 5", "https://x.example/@/a", "a < b"])
def test_what_calls_nobody_is_left_as_it_is(words: str) -> None:
    assert wording.calling_nobody(words) == words
