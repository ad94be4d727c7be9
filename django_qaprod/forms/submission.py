"""What a visitor sent, as far as it may be kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..text import JSONValue


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """An uploaded file, whole. ``name`` is what the visitor's machine called it: hostile."""

    field: str
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldName:
    """A field of a form, as a request names it.

    ``prefixes``: what else begins with ``html_name`` and an underscore is the field's, too (the parts of a
    split widget). ``private`` is never stored. ``required`` ones that are private make a submission that
    cannot be kept whole.
    """

    html_name: str
    private: bool = False
    required: bool = False
    is_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What was sent: encrypted as a whole, and nowhere else.

    ``fields`` are the pairs of the POST that may be kept, in order; ``user`` is the real primary key;
    ``session`` holds the allow-listed keys; ``free_text`` names the fields that were shown as free text
    because they could not be built; ``withheld`` those that were not kept or of which something was masked.
    """

    path: str
    host: str
    secure: bool
    locale: str
    user: str
    fields: tuple[tuple[str, str], ...]
    files: tuple[SentFile, ...] = ()
    session: dict[str, JSONValue] = field(default_factory=dict)
    free_text: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
