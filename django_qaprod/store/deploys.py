"""Deploys: releases seen for the first time, those told by a person, and feature flags that were changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from ..clock import moment, now
from ..conf import telemetry_alias
from ..models import Deploy
from ..records import FlagRecord, Record
from .memory import Memory
from .statements import limit


def see(records: Iterable[Record], *, using: str, memory: Memory) -> None:
    """Store the releases among ``records`` that are not known yet, as of the earliest record.

    Runs inside the caller's transaction.
    """
    first: dict[str, float] = {}
    for record in records:
        release = getattr(record, "release", "")
        if release and memory.releases.get(release) is None:
            first[release] = min(record.at, first.get(release, record.at))
    rows = [Deploy(release=clip(release), at=moment(at)) for release, at in sorted(first.items())]
    if rows:
        Deploy.objects.using(using).bulk_create(rows, ignore_conflicts=True)
    for release in first:
        memory.releases.put(release, True)


def flagged(name: str, *, note: str = "", at: datetime | None = None, using: str | None = None) -> Deploy:
    """Store that a feature flag was changed, now or ``at``, and return its row."""
    row = Deploy(release=clip(name), at=at or now(), note=_note(note), flag=True)
    # No signal: whoever listens to all models of the host's is not to hear of each mark.
    Deploy.objects.using(using or telemetry_alias()).bulk_create([row])
    return row


def saved(record: FlagRecord, *, using: str) -> None:
    """Store that a flag's row was saved, unless it says what it said the last time. Two queries."""
    before = Deploy.objects.using(using).filter(flag=True, release=clip(record.name)).order_by("-at", "-pk")
    # Of one without switches and numbers nobody knows what has changed.
    if record.note and before.values_list("note", flat=True).first() == _note(record.note):
        return
    flagged(record.name, note=record.note, at=moment(record.at), using=using)


def announce(release: str, *, note: str = "", using: str | None = None) -> Deploy:
    """Store that ``release`` went live now, and return its row.

    The release that is live already only gets the note: its processes may have been seen before the person
    or script that tells us. One that another release has followed goes live again: a rollback.
    """
    alias = using or telemetry_alias()
    release, note = clip(release), _note(note)
    with transaction.atomic(using=alias):
        Deploy.objects.using(alias).bulk_create(
            [Deploy(release=release, at=now(), note=note)], ignore_conflicts=True
        )
        row = _releases(alias).get(release=release)
        if current(using=alias) != release:
            row.at = now()
        row.note = note or row.note
        row.save(using=alias, update_fields=("at", "note"))
    return row


def current(*, using: str) -> str:
    """Return the release that went live last, or nothing when releases are not in use."""
    return latest(using=using)[0]


def latest(*, using: str) -> tuple[str, datetime | None]:
    """Return the release that went live last, and when; nothing when releases are not in use."""
    found = _releases(using).order_by("-at", "-pk").values_list("release", "at").first()
    return found or ("", None)


def times(*, using: str) -> dict[str, datetime]:
    """Return when each release went live, of the last thousand."""
    return dict(_releases(using).order_by("-at").values_list("release", "at")[:1000])


def clip(release: str) -> str:
    """Return ``release`` as long as its column."""
    return release[: limit(Deploy, "release")]


def _note(note: str) -> str:
    return note[: limit(Deploy, "note")]


def _releases(using: str) -> QuerySet[Deploy]:
    return Deploy.objects.using(using).filter(flag=False)
