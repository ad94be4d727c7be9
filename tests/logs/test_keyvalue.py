"""Pairs are found again as they were meant, and nothing in a value makes a pair."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.logs import KeyValueFormatter
from django_qaprod.logs.keyvalue import pairs, shown

from .written import LOGFMT, raised, record, splunk

FORGED = (
    "x level=CRITICAL",
    'x" level=CRITICAL y="',
    'x\\" level=CRITICAL y="',
    "x\\",
    "x\nlevel=CRITICAL",
    "x' level=CRITICAL",
    "x\u2028level=CRITICAL",
)


def line(*arguments: Any, **attributes: Any) -> str:
    return KeyValueFormatter().format(record(*arguments, **attributes))


@pytest.mark.parametrize("words", FORGED)
def test_a_message_cannot_forge_a_field(words: str) -> None:
    for written in (
        line("%s", words),
        line("x", extra={"note": words}),
        line("x", error=raised(ValueError(words))),
    ):
        assert splunk(written)["level"] == "INFO"
        logfmt: dict[str, str] = {}
        for key, quoted, bare in LOGFMT.findall(written):
            logfmt.setdefault(key, quoted or bare)
        assert logfmt["level"] == "INFO"


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z_]{0,10}", fullmatch=True),
        st.text(max_size=20) | st.integers() | st.booleans(),
        max_size=5,
    )
)
def test_values_are_found_again(given_fields: dict[str, Any]) -> None:
    written = pairs(given_fields.items())
    found = splunk(written)
    assert list(found) == list(given_fields)
    read = {key: quoted or bare for key, quoted, bare in LOGFMT.findall(written)}
    assert read == found
    for key, value in given_fields.items():
        plain = str(value).lower() if isinstance(value, bool) else str(value)
        if plain.isprintable() and not set(plain) & {'"', "\\"}:
            assert found[key] == plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("word", "word"),
        ("2025-01-02T03:04:05.000000Z", "2025-01-02T03:04:05.000000Z"),
        ("two words", '"two words"'),
        ("", '""'),
        ('say "hi"', "\"say 'hi'\""),
        ("C:\\", '"C:\\\\"'),
        ("a\nb\tc", '"a\\nb\\tc"'),
        ("a=b", '"a=b"'),
        ("größer", '"größer"'),
        (True, "true"),
        (1.5, "1.5"),
        (["a", 1], "\"['a', 1]\""),
    ],
)
def test_a_value_is_a_word_or_stands_in_quotes(value: Any, text: str) -> None:
    assert shown(value) == text


def test_keys_are_words() -> None:
    assert pairs([("a b=c", 1), ("größe", 2), ("", 3), ("none", None)]) == " a_b_c=1 gr__e=2 =3"


def test_what_is_nested_is_flat() -> None:
    found = splunk(line("x", extra={"order": {"number": 7, "tags": ["a"]}}))
    assert (found["order_number"], found["order_tags"]) == ("7", "['a']")


def test_fields_that_splunk_has_itself_are_left_alone() -> None:
    found = splunk(line("x", extra={"host": "a", "source": "b", "level_": "c"}))
    assert (found["extra_host"], found["extra_source"], found["level_"]) == ("a", "b", "c")
    assert "host" not in found


def test_what_may_be_long_stands_at_the_end() -> None:
    written = line("the message", extra={"vacancy": 1}, error=raised(ValueError("no")))
    keys = list(splunk(written))
    assert keys[:3] == ["timestamp", "level", "logger"]
    assert keys[-3:] == ["message", "error_message", "stack_trace"]
