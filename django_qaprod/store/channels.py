"""How each channel does, and the breaker that leaves one alone which fails again and again."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Case, DateTimeField, F, Value, When

from ..clock import now
from ..conf import telemetry_alias
from ..models import Channel
from ..text import one_line
from .statements import limit

#: Failures in a row after which a channel is left alone, for how long first, and at most.
OPEN_AFTER = 3
LEFT_FIRST, LEFT_MOST = timedelta(minutes=1), timedelta(minutes=30)


def succeeded(name: str, *, remark: str = "", using: str | None = None) -> None:
    """Write down that a channel took a message, which closes its breaker.

    ``remark`` says whom it did not reach all the same.
    """
    at = now()
    changes: dict[str, object] = {"failures": 0, "open_until": None, "sent_at": at}
    if remark:
        changes |= {"failed_at": at, "error": _cut(remark)}
    _change(name, changes, using=using)


def failed(name: str, error: str, *, using: str | None = None) -> None:
    """Write down that a channel did not take a message: after some in a row it is left alone, ever longer.

    ``error`` is shown, so it holds no secrets.
    """
    at = now()
    changes = {
        "failures": F("failures") + 1,
        "failed_at": at,
        "error": _cut(error),
        "open_until": _open_until(at),
    }
    _change(name, changes, using=using)


def is_open(name: str, *, using: str | None = None) -> bool:
    """Return whether a channel is left alone now."""
    rows = Channel.objects.using(using or telemetry_alias())
    return rows.filter(name=name, open_until__gt=now()).exists()


def states(*, using: str | None = None) -> dict[str, Channel]:
    """Return how the channels do, by name; none of those that were never used."""
    return {row.name: row for row in Channel.objects.using(using or telemetry_alias())}


def left_for(failures: int) -> timedelta:
    """Return for how long a channel is left alone after so many failures in a row."""
    if failures < OPEN_AFTER:
        return timedelta(0)
    # Not to the power of what has been failing for months.
    doubled: int = 2 ** min(failures - OPEN_AFTER, 10)
    return min(LEFT_FIRST * doubled, LEFT_MOST)


def _open_until(at: datetime) -> Case:
    """Return, as an expression of the failures before this one, until when it is left alone.

    By the database's own count: two that fail at the same time are two.
    """
    most = next(count for count in range(OPEN_AFTER, 50) if left_for(count) == LEFT_MOST)
    cases = [When(failures__gte=most - 1, then=Value(at + LEFT_MOST))]
    cases += [When(failures=count - 1, then=Value(at + left_for(count))) for count in range(OPEN_AFTER, most)]
    return Case(*cases, default=Value(None), output_field=DateTimeField(null=True))


def _change(name: str, changes: dict[str, object], *, using: str | None) -> None:
    rows = Channel.objects.using(using or telemetry_alias())
    if not rows.filter(name=name).update(**changes):
        rows.bulk_create([Channel(name=name)], ignore_conflicts=True)
        rows.filter(name=name).update(**changes)


def _cut(words: str) -> str:
    return one_line(words, limit(Channel, "error"))
