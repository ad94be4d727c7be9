"""What a judge says is stored whatever it holds: else its rule could never be told of."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from django_qaprod.alerts.judging.base import Verdict
from django_qaprod.alerts.storable import storable

NOW = 1_800_000_000.0


def verdict(key: str = "", **given: Any) -> Verdict:
    return Verdict(**{"key": key, "wrong": True, "value": 1.0, "words": "1 in 5 min", **given})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_left_out(number: float) -> None:
    """JSON has no word for it, nor has PostgreSQL."""
    found = storable(verdict(value=number, limit=number), NOW)
    assert (found.value, found.limit) == (None, None)
    assert json.dumps(found, allow_nan=False)


def test_keys_and_words_are_cleaned_and_cut() -> None:
    """NUL and halves of characters stop a database."""
    found = storable(verdict("Sa\x00fari\ud800", words="w\x00" * 900, usual="\ud800"), NOW)
    assert "\x00" not in f"{found.key}{found.words}"
    assert f"{found.key}{found.words}{found.usual}".encode()
    assert len(found.words) == 500


def test_long_keys_are_told_apart() -> None:
    """Also those that begin with the same 200 characters."""
    keys = {storable(verdict("k" * 300 + end), NOW).key for end in "ab"}
    assert len(keys) == 2
    assert {len(key) for key in keys} == {200}
    assert storable(verdict("Safari"), NOW).key == "Safari"


@pytest.mark.parametrize("since", [math.nan, math.inf, -1e15, NOW + 60])
def test_a_beginning_that_cannot_be_is_left_out(since: float) -> None:
    """It is no time, or it lies ahead."""
    assert storable(verdict(since=since), NOW).since is None
    assert storable(verdict(since=NOW - 60), NOW).since == NOW - 60
