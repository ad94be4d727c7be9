"""What was sent comes out as it went in, and what is no submission is refused."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies

from django_qaprod import sent as packing
from django_qaprod.exceptions import UnreadableError
from django_qaprod.records import new_id
from django_qaprod.sent import SentFile, Submission, id_ending, pack, reference_of, unpack

text = strategies.text(max_size=40)
plain = strategies.none() | strategies.booleans() | strategies.integers() | text
files = strategies.builds(SentFile, field=text, name=text, content_type=text, content=strategies.binary())
submissions = strategies.builds(
    Submission,
    path=text,
    host=text,
    secure=strategies.booleans(),
    locale=text,
    script=text,
    user=text,
    user_unknown=strategies.booleans(),
    fields=strategies.lists(strategies.tuples(text, text), max_size=5).map(tuple),
    files=strategies.lists(files, max_size=3).map(tuple),
    session=strategies.dictionaries(text, plain | strategies.lists(plain), max_size=3),
    free_text=strategies.lists(text, max_size=3).map(tuple),
    withheld=strategies.lists(text, max_size=3).map(tuple),
    browser=text,
)


def submission(**fields: Any) -> Submission:
    values: dict[str, Any] = {
        "path": "/",
        "host": "",
        "secure": False,
        "locale": "",
        "user": "",
        "fields": (),
    }
    return Submission(**values | fields)


@given(submissions)
def test_it_comes_out_as_it_went_in(sent: Submission) -> None:
    assert unpack(pack(sent)) == sent


def test_what_was_kept_without_a_browser_is_readable() -> None:
    head, contents = packing._parts(pack(submission(browser="Safari")))
    assert head.pop("browser") == "Safari"
    assert packing._submission(head, contents) == submission()


@given(strategies.binary())
def test_garbage_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableError):
        unpack(content)


@given(submissions, strategies.data())
def test_what_was_changed_is_unreadable_or_a_submission(
    sent: Submission, data: strategies.DataObject
) -> None:
    content = bytearray(pack(sent))
    at = data.draw(strategies.integers(0, len(content) - 1))
    content[at] ^= data.draw(strategies.integers(1, 255))
    with suppress(UnreadableError):
        assert isinstance(unpack(bytes(content)), Submission)


@pytest.mark.parametrize("cut", range(1, 40))
def test_what_is_cut_off_is_unreadable(cut: int) -> None:
    content = pack(submission(files=(SentFile(field="f", name="n", content_type="", content=b"x" * 100),)))
    with pytest.raises(UnreadableError):
        unpack(content[:-cut])


def test_text_is_compressed() -> None:
    sent = submission(fields=(("letter", "Dear all, " * 10_000),))
    assert len(pack(sent)) < 2_000
    assert unpack(pack(sent)) == sent


def test_a_compressed_trap_is_not_blown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    inflate = zlib.decompressobj

    class Watched:
        eof, unused_data = True, b""

        def decompress(self, content: bytes, most: int) -> bytes:
            found = inflate().decompress(content, most)
            asked.append(len(found))
            return found

    monkeypatch.setattr("django_qaprod.sent.zlib.decompressobj", Watched)
    trap = zlib.compress(bytes(50_000_000))
    for length in (10, 10**12):
        with pytest.raises(UnreadableError):
            unpack(struct.pack(">BBQI", 1, 1, length, 5) + trap)
    assert asked == [11]


def test_a_reference_finds_its_id() -> None:
    one = new_id()
    assert one.endswith(id_ending(reference_of(one)))
    assert id_ending(f" {reference_of(one).lower().replace('-', ' ')}\n".strip()) == one[-10:]


@pytest.mark.parametrize("typed", ["", "ABCDE", "ABCDE-1234Z", "%", "ABCDE-123456"])
def test_what_is_no_reference_finds_nothing(typed: str) -> None:
    assert id_ending(typed) == ""
