"""What a visitor sent in a POST that failed, as far as it may be kept, and its packed form.

Packed it is bytes: a version, whether the rest is compressed, and how long that is; then the head as JSON,
and the files behind it as they are. It is encrypted as a whole before it goes anywhere (``vault``).
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

from .conf import settings
from .exceptions import UnreadableError
from .text import JSONValue

#: How long the packed form of anything may be; more than this is no submission.
MOST: Final = 256 * 1024 * 1024

_VERSION: Final = 1
# Version, whether the body is compressed, the body's own length, the length of the head in it.
_FRAME: Final = struct.Struct(">BBQI")
# The id's last digits are the reference: forty bits, drawn by lot or by a keyed digest.
_REFERENCE: Final = 10

#: How the names of a session's keys begin among those of what was withheld.
SESSION: Final = "session:"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """An uploaded file, whole. ``name`` is what the visitor's machine called it: hostile."""

    field: str
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What was sent: encrypted as a whole, and nowhere else.

    ``fields`` are the pairs of the POST that may be kept, in order; ``user`` is the real primary key;
    ``session`` holds the allow-listed keys; ``free_text`` names the fields that were shown as free text
    because they could not be built; ``withheld`` those that were not kept or of which something was masked.
    ``user_unknown``: there was a session, but nobody could say whose.
    """

    path: str
    host: str
    secure: bool
    locale: str
    user: str
    fields: tuple[tuple[str, str], ...]
    user_unknown: bool = False
    files: tuple[SentFile, ...] = ()
    session: dict[str, JSONValue] = field(default_factory=dict)
    free_text: tuple[str, ...] = ()
    #: The part of the path that is the server's (``SCRIPT_NAME``).
    script: str = ""
    withheld: tuple[str, ...] = ()
    #: The family of the visitor's browser, by which a replay's steps count; nothing in what is older.
    browser: str = ""


def reference_of(submission_id: str) -> str:
    """Return what the visitor is shown of a submission's id."""
    digits = submission_id[-_REFERENCE:].upper()
    return f"{digits[:5]}-{digits[5:]}"


def id_ending(reference: str) -> str:
    """Return how the id ends whose reference somebody has typed, however they did; else nothing."""
    digits = "".join(char for char in reference.lower() if char not in " -")
    return digits if len(digits) == _REFERENCE and set(digits) <= set("0123456789abcdef") else ""


def pack(submission: Submission) -> bytes:
    """Return the submission as bytes, compressed where that makes it shorter."""
    head = json.dumps(
        {
            "path": submission.path,
            "script": submission.script,
            "host": submission.host,
            "secure": submission.secure,
            "locale": submission.locale,
            "user": submission.user,
            "user_unknown": submission.user_unknown,
            "fields": submission.fields,
            "files": [[one.field, one.name, one.content_type, len(one.content)] for one in submission.files],
            "session": submission.session,
            "free_text": submission.free_text,
            "withheld": submission.withheld,
            "browser": submission.browser,
        },
        separators=(",", ":"),
    ).encode("ascii")
    body = b"".join((head, *(one.content for one in submission.files)))
    short = zlib.compress(body)
    compressed = len(short) < len(body)
    return _FRAME.pack(_VERSION, compressed, len(body), len(head)) + (short if compressed else body)


def unpack(content: bytes) -> Submission:
    """Return the submission that was packed. Raises ``UnreadableError`` for anything else."""
    try:
        return _submission(*_parts(content))
    except (ValueError, KeyError, TypeError, RecursionError, struct.error, zlib.error) as error:
        raise UnreadableError("This is not a submission that this version can read.") from error


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    version, compressed, length, head_length = _FRAME.unpack_from(content)
    if version != _VERSION or length > max(MOST, 8 * settings().rescue_max_bytes):
        raise ValueError("version or length")
    body = content[_FRAME.size :]
    if compressed:
        # Never more than it says itself: what is a thousand times as long is a trap.
        inflating = zlib.decompressobj()
        body = inflating.decompress(body, length + 1)
        if not inflating.eof or inflating.unused_data:
            raise ValueError("end")
    if len(body) != length:
        raise ValueError("length")
    return json.loads(body[:head_length]), body[head_length:]


def _submission(head: dict[str, Any], contents: bytes) -> Submission:
    files, begin = [], 0
    for name, file_name, content_type, length in head["files"]:
        content = contents[begin : begin + _natural(length)]
        begin += length
        files.append(
            SentFile(
                field=_text(name),
                name=_text(file_name),
                content_type=_text(content_type),
                content=content,
            )
        )
    if begin != len(contents):
        raise ValueError("files")
    return Submission(
        path=_text(head["path"]),
        script=_text(head["script"]),
        host=_text(head["host"]),
        secure=head["secure"] is True,
        locale=_text(head["locale"]),
        user=_text(head["user"]),
        user_unknown=head["user_unknown"] is True,
        fields=tuple((_text(name), _text(value)) for name, value in head["fields"]),
        files=tuple(files),
        session=dict(head["session"]),
        free_text=tuple(map(_text, head["free_text"])),
        withheld=tuple(map(_text, head["withheld"])),
        browser=_text(head.get("browser", "")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _natural(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("no length")
    return value
