"""A failure as plain text, to be pasted into a ticket."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from ..models import Failure
from . import priority
from .failure import Happened, Raised
from .words import NOTHING, cut, number, title, visible


def text(failure: Failure, shown: Happened | None, impact: list[str], *, url: str) -> str:
    """Return what somebody needs who has to mend it, without names of users."""
    return "\n".join(_lines(failure, shown, impact, url)) + "\n"


def _lines(failure: Failure, shown: Happened | None, impact: list[str], url: str) -> Iterator[str]:
    yield title(failure)
    yield url
    yield ""
    for label, value in _facts(failure):
        yield f"{label}: {visible(value) if value else NOTHING}"
    yield from impact
    if shown is not None:
        yield ""
        yield from _occurrence(shown)


def _facts(failure: Failure) -> Iterator[tuple[str, str]]:
    yield _("Kind"), f"{failure.get_kind_display()}, {failure.get_severity_display()}"
    yield _("State"), failure.get_state_display()
    yield _("Name"), failure.name
    yield _("Where"), failure.culprit
    yield _("Journey"), failure.journey
    yield _("Route"), f"{failure.method} {failure.route}".strip()
    yield _("Occurrences"), number(failure.count)
    yield _("People"), number(failure.people)
    yield _("Subjects"), number(failure.subjects)
    yield _("First seen"), _seen(failure.first_seen.isoformat(timespec="seconds"), failure.first_release)
    yield _("Last seen"), _seen(failure.last_seen.isoformat(timespec="seconds"), failure.last_release)
    yield _("Priority"), f"{number(failure.priority)} ({priority.explained(failure)})"


def _seen(when: str, release: str) -> str:
    return f"{when} ({release})" if release else when


def _occurrence(shown: Happened) -> Iterator[str]:
    occurrence = shown.occurrence
    yield f"{_('Occurrence')}: {visible(occurrence.pk)} {occurrence.at.isoformat(timespec='seconds')}"
    if occurrence.request_id:
        yield f"{_('Request id')}: {visible(occurrence.request_id)}"
    if occurrence.trace_id:
        yield f"{_('Trace id')}: {visible(occurrence.trace_id)}"
    if shown.event_url:
        yield f"Sentry: {visible(shown.event_url)}"
    for raised in shown.chain:
        yield ""
        yield from _raised(raised)
    if shown.lines:
        yield ""
        yield _("The lines around:")
        for line in shown.lines:
            yield f"  {cut(line.level, 10)} {cut(line.logger, 60)}: {cut(line.message, 300)}"


def _raised(raised: Raised) -> Iterator[str]:
    if raised.relation:
        yield f"({raised.relation})"
    yield f"{visible(raised.error_type)}: {visible(raised.message)}"
    for note in raised.notes:
        yield f"  {visible(note)}"
    for stretch in raised.stretches:
        for frame in stretch.frames:
            yield f"  {visible(frame.file)}:{frame.line} {visible(frame.function)}"
            if stretch.in_app and frame.code:
                yield f"    {visible(frame.code.strip())}"
