"""What was sent in a rescued submission, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from ..sent import SESSION, Submission
from .words import cut, visible

_LONGEST_SHOWN = 20_000


class Known(NamedTuple):
    """What the form says of a field: how visitors know it, and what they read of each choice."""

    label: str
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What was sent in a field; ``marks`` say what staff should know of it.

    ``label`` is as the visitor knew it, ``chosen`` what they read of their choice; empty if no form says so.
    """

    name: str
    value: str
    marks: list[str]
    label: str
    chosen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that was sent; its name is what the visitor's machine called it."""

    number: int
    field: str
    name: str
    content_type: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent, in one version."""

    version: int
    values: list[Value]
    files: list[File]
    left_out: list[str]
    #: The session's keys that could not be had.
    session_left_out: list[str]
    session: list[tuple[str, str]]
    path: str
    host: str
    locale: str
    visitor: str


def shown(submission: Submission, *, version: int, known: Mapping[str, Known]) -> Sent:
    """Return what was sent, for people; ``known`` is what the form says of its fields, by their names."""
    names = {name for name, _sent in submission.fields}
    withheld = [name for name in submission.withheld if name not in names]
    return Sent(
        version=version,
        values=[
            _value(name, value, list(marks(submission, name)), known.get(name))
            for name, value in submission.fields
        ],
        files=[
            File(
                number=at,
                field=one.field,
                name=one.name,
                content_type=one.content_type,
                size=filesizeformat(len(one.content)),
            )
            for at, one in enumerate(submission.files)
        ],
        left_out=[name for name in withheld if not name.startswith(SESSION)],
        session_left_out=[name.removeprefix(SESSION) for name in withheld if name.startswith(SESSION)],
        session=[(key, _long(str(value))) for key, value in submission.session.items()],
        path=submission.path,
        host=submission.host,
        locale=submission.locale,
        visitor=_visitor(submission),
    )


def _value(name: str, value: str, marked: list[str], known: Known | None) -> Value:
    label, choices = known or Known("", {})
    chosen = choices.get(value, "")
    return Value(
        name=name,
        value=_long(value),
        marks=marked,
        label=label if label != name else "",
        chosen=chosen if chosen != value else "",
    )


def marks(submission: Submission, name: str) -> Iterator[str]:
    """Yield what staff should know of a field."""
    if name in submission.withheld:
        yield _("a part is masked: it was never stored")
    if name in submission.free_text:
        yield _("shown as free text: its choices could not be had")


def file_name(name: str, *, otherwise: str) -> str:
    """Return a visitor's file name such that no header and no file system is surprised by it."""
    plain = cut(name, 150).replace("/", "_").replace("\\", "_").strip(". ")
    return plain or otherwise


def _visitor(submission: Submission) -> str:
    if submission.user_unknown:
        return _("nobody could tell whether somebody was signed in, or who")
    return user(submission.user) if submission.user else _("nobody was signed in")


def user(key: str) -> str:
    """Return a visitor's name by their primary key, and whether a replay can be made as them."""
    named = {"key": cut(key, 100)}
    try:
        found = get_user_model()._default_manager.filter(pk=key).first()
    except (ValueError, ValidationError):
        found = None
    if found is None:
        return _("%(key)s: there is no such user any more, so a replay is refused") % named
    named["name"] = cut(found.get_username(), 100)
    if not found.is_active:
        return _("%(name)s (%(key)s), deactivated since then, so a replay is refused") % named
    return _("%(name)s (%(key)s)") % named


def _long(value: str) -> str:
    # The end of a line as browsers send it is no control character to be shown.
    value = value.replace("\r\n", "\n")
    if len(value) <= _LONGEST_SHOWN:
        return visible(value)
    return f"{visible(value[:_LONGEST_SHOWN])}… {_('(longer; the whole text is in the form for editing)')}"
