"""A record comes back from a segment as it went in, and whatever else is there is told from one."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.exceptions import RecordFormatError
from django_qaprod.records import (
    Cell,
    ChainLink,
    EventRecord,
    FailureRecord,
    FlagRecord,
    HealthRecord,
    LogLine,
    NumbersRecord,
    Record,
    decode,
    encode,
    new_id,
)

# Lone surrogates and NUL included: what a record holds was cleaned before, but the spool does not rely on it.
texts = st.text(st.characters(exclude_categories=()), max_size=30)
times = st.floats(0, 4e9)
counts = st.integers(0, 2**63 - 1)
words = st.dictionaries(texts, counts, max_size=3)
properties = st.dictionaries(
    texts,
    st.recursive(st.none() | st.booleans() | counts | texts, lambda x: st.lists(x, max_size=2), max_leaves=4),
)
links = st.builds(
    ChainLink,
    error_type=texts,
    message=texts,
    notes=st.lists(texts, max_size=2).map(tuple),
    relation=st.sampled_from(["", "cause", "context", "group"]),
)
lines = st.builds(LogLine, at=times, level=texts, logger=texts, message=texts)
frames = st.lists(st.lists(st.fixed_dictionaries({"file": texts, "line": counts}), max_size=2), max_size=2)
failures = st.builds(
    FailureRecord,
    id=texts,
    at=times,
    kind=st.sampled_from(["unhandled", "degraded", "logged", "task", "command"]),
    severity=st.sampled_from(["info", "warning", "error", "critical"]),
    fingerprint=texts,
    error_type=texts,
    message=texts,
    chain=st.lists(links, max_size=2).map(tuple),
    frames=frames.map(json.dumps),
    name=texts,
    route=texts,
    served=st.booleans(),
    critical=st.booleans(),
    lines=st.lists(lines, max_size=2).map(tuple),
    extra=properties,
)
cells = st.builds(
    Cell,
    name=texts,
    label=texts,
    attributes=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    start=counts,
    count=counts,
    total=st.floats(allow_nan=False),
    histogram=st.binary(max_size=8),
)
numbers = st.builds(
    NumbersRecord, id=texts, at=times, cells=st.lists(cells, max_size=3).map(tuple), release=texts
)
events = st.builds(
    EventRecord,
    id=texts,
    at=times,
    journey=texts,
    step=texts,
    subject=texts,
    variant=texts,
    once=st.booleans(),
    properties=properties,
)
health = st.builds(
    HealthRecord,
    id=texts,
    at=times,
    host=texts,
    process=texts,
    errors=words,
    dropped=words,
    words=st.dictionaries(texts, texts),
)
flags = st.builds(FlagRecord, id=texts, at=times, name=texts, note=texts, release=texts, host=texts)
records = failures | numbers | events | health | flags

FAILURE = FailureRecord(
    id=new_id(1.5),
    at=1.5,
    kind="unhandled",
    severity="error",
    fingerprint="1:abc",
    error_type="ValueError",
    message="on\tfire\nwith <b>tags</b> \x00 ünïcödé 💥",
    chain=(ChainLink(error_type="ValueError", message="x", notes=("a\tnote",)),),
    frames=json.dumps([[{"file": "a\tb.py", "line": 3}]]),
)


@given(records)
def test_what_goes_in_comes_out(record: Record) -> None:
    assert decode(encode(record)) == record


@given(records)
def test_a_record_is_one_line_of_ascii(record: Record) -> None:
    line = encode(record)
    assert line.isascii()
    assert line.splitlines(keepends=True) == [line]


@given(events | numbers | health, st.data())
def test_a_torn_line_is_not_taken_for_a_record(record: Record, data: st.DataObject) -> None:
    line = encode(record).rstrip(b"\n")
    torn = line[: data.draw(st.integers(0, len(line) - 1))]
    with pytest.raises(RecordFormatError):
        decode(torn)
    with pytest.raises(RecordFormatError):
        decode(torn + b"\n")


def test_a_failure_torn_anywhere_is_not_taken_for_a_record() -> None:
    line = encode(FAILURE)
    for length in range(len(line)):
        with pytest.raises(RecordFormatError):
            decode(line[:length])


@given(st.binary(max_size=60))
def test_noise_is_not_taken_for_a_record(noise: bytes) -> None:
    with pytest.raises(RecordFormatError):
        decode(noise)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'{"_": "journal"}',
        b'{"_": ["failure"]}',
        b'{"_": "event", "id": "1", "at": 1.0, "journey": "j", "step": "s", "of_a_later_version": 1}',
        b'{"_": "numbers", "id": "1", "at": 1.0, "cells": [{"name": "n", "count": 1, "histogram": "xy"}]}',
        b'{"_": "numbers", "id": "1", "at": 1.0, "cells": 5}',
        b'{"_": "failure"}\t\xff',
        b"[" * 100_000,
    ],
)
def test_what_is_foreign_is_refused(line: bytes) -> None:
    with pytest.raises(RecordFormatError):
        decode(line)


def test_frames_that_are_not_ascii_stay_json() -> None:
    frames = json.dumps([[{"file": "größe.py", "code": "x = '💥'"}]], ensure_ascii=False)
    record = FailureRecord(
        id="1",
        at=1.0,
        kind="logged",
        severity="error",
        fingerprint="f",
        error_type="",
        message="",
        frames=frames,
    )
    found = decode(encode(record))
    assert isinstance(found, FailureRecord)
    assert json.loads(found.frames) == json.loads(frames)


def test_ids_are_sorted_by_time_and_in_the_layout_of_uuid_7() -> None:
    now = time.time()
    ids = [new_id(now + second) for second in range(5)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 5
    assert {(len(found), found[12], found[16] in "89ab") for found in ids} == {(32, "7", True)}
