"""Makes the message that tells of alerts: of one or a group, that they fire, still fire, or are over.

The first line is the whole story; after it each line has a label. Lines are not broken: a phone does that
better than we do. All of it is in the language of the site, ``LANGUAGE_CODE``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from django.conf import settings
from django.template import Context, Engine
from django.utils import translation

from ..models import Alert, Notification
from ..pipeline.guard import guard, guarded
from ..store.alerts import RANKS
from ..text import one_line
from . import addresses, facts, headlines, lines, payload, words
from .channels.base import Kind, Message
from .facts import Facts
from .headlines import Headline, Whole
from .lines import Line
from .words import Entry

#: Characters of a subject.
MAX_SUBJECT = 150

_TEMPLATES = Path(__file__).parent.parent / "templates"
# A message of several kinds goes by the first of these.
_KINDS = ("escalation", "firing", "reminder", "resolved")
_OVER, _DIGEST = "resolved", "digest"


def build(
    notifications: Sequence[Notification],
    *,
    channel: str,
    id: str,  # noqa: A002 - it is the message's
    digest: bool = False,
    whole: Whole | None = None,
) -> Message:
    """Return the message of one or more notifications, which have their alerts with them.

    A ``digest`` tells of what was held back: of these, or of a ``whole`` of which they are the worst. At most
    six queries, none of which is needed: what cannot be found out is left out. Call it outside of a
    transaction.
    """
    # Nobody asks for it: it is for all who are reached by the channel, whatever is spoken in this thread.
    with translation.override(settings.LANGUAGE_CODE):
        entries = _entries(notifications)
        kind = _DIGEST if digest else min((entry.kind for entry in entries), key=_KINDS.index)
        if digest and whole is None:
            counts = dict(Counter(entry.alert.rule for entry in entries))
            whole = Whole(counts, min(one.made_at for one in notifications))
        return _built(entries, notifications, kind, channel, id, whole)


def _built(
    entries: Sequence[Entry],
    notifications: Sequence[Notification],
    kind: str,
    channel: str,
    id: str,  # noqa: A002 - as above
    whole: Whole | None,
) -> Message:
    found = Facts() if kind == _DIGEST else _facts(entries)
    severity = _severity(entries)
    headline, said = _told(entries, found, notifications, kind, severity, whole)
    total = whole.total if whole is not None else len(entries)
    look = addresses.look(entries[0].alert) if len(entries) == 1 else addresses.look_at_all()
    act = addresses.act(id, channel)
    label = Alert.State.RESOLVED.label if kind == _OVER else words.severity(severity)
    subject = one_line(f"[{label}] {headline.subject}", MAX_SUBJECT)
    given = {"id": id, "kind": kind, "severity": severity, "channel": channel, "subject": subject}
    return Message(
        id=id,
        kind=cast("Kind", kind),
        severity=severity,
        subject=subject,
        **_written(subject, headline, [*said, *lines.links(entries, look=look, act=act)]),
        look=look,
        act=act,
        data=payload.of(entries, found, total=total, **given, story=headline.story, look=look, act=act),
    )


def _told(
    entries: Sequence[Entry],
    found: Facts,
    notifications: Sequence[Notification],
    kind: str,
    severity: str,
    whole: Whole | None,
) -> tuple[Headline, list[Line]]:
    if whole is not None:
        shown = Whole(lines.by_rule(whole.counts.items()), whole.since)
        return headlines.of_digest(shown), _said(lines.of_digest(entries, shown.counts))
    if len(entries) == 1:
        return headlines.of_one(entries[0], severity), _said(lines.of_one(entries[0], found))
    headline = headlines.of_many(entries, kind, severity, notifications[0].group)
    return headline, _said(lines.of_many(entries, found))


def _entries(notifications: Sequence[Notification]) -> list[Entry]:
    """Return the alerts, each once by its loudest kind: the worst first, and what is over at the end."""
    kinds: dict[int, str] = {}
    for one in notifications:
        kinds[one.alert_id] = min(one.kind, kinds.get(one.alert_id, one.kind), key=_KINDS.index)
    alerts = {one.alert_id: one.alert for one in notifications}
    specs = facts.specs_of(list(alerts.values()))
    entries = [Entry(alert, kinds[pk], specs.get(alert.rule)) for pk, alert in alerts.items()]
    return sorted(entries, key=lambda entry: (entry.over, entry.alert.rank, entry.alert.began_at))


def _severity(entries: Sequence[Entry]) -> str:
    """Return the worst severity of what is not over, or of all."""
    severities = {entry.alert.severity for entry in entries if not entry.over}
    severities = severities or {entry.alert.severity for entry in entries}
    return min(severities, key=lambda severity: RANKS.get(severity, len(RANKS)))


def _facts(entries: Sequence[Entry]) -> Facts:
    specs = {entry.alert.rule: entry.spec for entry in entries if entry.spec is not None}
    over = all(entry.over for entry in entries)
    return facts.gather([entry.alert for entry in entries], specs, over=over)


def _said(given: Iterable[Line]) -> list[Line]:
    """Return the lines, up to one that cannot be made: without them, too, the message is worth sending."""
    said: list[Line] = []
    with guard("alerts.lines"):
        said.extend(given)
    return said


def _written(subject: str, headline: Headline, said: Sequence[Line]) -> dict[str, str]:
    return {"text": _text(headline, said), "html": _html(subject, headline, said) or ""}


def _text(headline: Headline, said: Sequence[Line]) -> str:
    written = [headline.story, ""]
    for label, items in said:
        if len(items) == 1:
            written += [f"{label}: {items[0].text or items[0].url}"]
            written += [items[0].url] if items[0].text and items[0].url else []
            continue
        written.append(f"{label}:")
        for text, url in items:
            written += [f"- {part}" if part == text else f"  {part}" for part in (text, url) if part]
    return "\n".join(written) + "\n"


# The text is whole without it.
@guarded("alerts.html")
def _html(subject: str, headline: Headline, said: Sequence[Line]) -> str:
    values = {
        "subject": subject,
        "story": headline.story,
        "lines": said,
        "language": translation.get_language() or settings.LANGUAGE_CODE,
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
    }
    return _engine().get_template("qaprod/alerts/mail.html").render(Context(values))


@cache
def _engine() -> Engine:
    # Our own: it escapes, whatever the host's does.
    return Engine(dirs=[str(_TEMPLATES)])
