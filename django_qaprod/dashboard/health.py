"""How we are ourselves: the health page, and what every page says when its numbers are stale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import registry, vault
from ..queries import alerts
from ..queries.health import Health, health
from ..store import retention, submissions
from .words import ago, cut, number

#: A site with visitors stores something every few seconds.
QUIET_AFTER = timedelta(minutes=10)
#: The first records are stored some seconds before anybody begins with the periodic work.
BEGINS_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPage:
    """What the template shows."""

    health: Health
    fine: bool
    fresh: bool
    #: Why nothing is kept at all, what will be lost soon, why nothing more is kept; empty when it is not so.
    keyless: str
    expiring: str
    full: str
    #: How many gauges are declared, and how many failed when they were read last.
    gauges: int
    failing_gauges: int


def page(*, rescuing: bool = False) -> HealthPage:
    """Return the health page; ``rescuing`` says whether any view is to keep what is sent to it."""
    found = health()
    keyless, expiring, full = _keyless() if rescuing else "", _expiring(), _full()
    fine = not (found.troubles or keyless or expiring or full or list(_warnings(found)))
    declared = {spec.name for spec in registry.gauges()}
    return HealthPage(
        health=found,
        fine=fine,
        fresh=_is_fresh(found),
        keyless=keyless,
        expiring=expiring,
        full=full,
        gauges=len(declared),
        failing_gauges=sum(bool(run.error) for run in found.gauges if run.name in declared),
    )


def warnings() -> list[str]:
    """Return why the numbers of a page may be stale or incomplete; nothing when they are neither."""
    return list(_warnings(health()))


def _keyless() -> str:
    if vault.available():
        return ""
    return _(
        "There are forms with serve_form, and no key in QAPROD['RESCUE_KEYS']: what is sent to them while "
        "they fail is lost."
    )


def _expiring() -> str:
    soon = submissions.expiring_soon()
    if not soon:
        return ""
    return ngettext(
        "%(n)s rescued submission that nobody has replayed yet reaches its age limit within %(days)s days, "
        "and is deleted then.",
        "%(n)s rescued submissions that nobody has replayed yet reach their age limit within %(days)s days, "
        "and are deleted then.",
        soon,
    ) % {"n": number(soon), "days": number(submissions.WARN_WITHIN.days)}


def _full() -> str:
    if not submissions.is_full():
        return ""
    return _(
        "As many rescued submissions wait as may, %(n)s: what is sent now is not kept, and visitors are told "
        "so. Replay or discard some."
    ) % {"n": number(retention.most("submissions"))}


def _is_fresh(found: Health) -> bool:
    return found.stored_at is None and found.last_number is None


def _is_beginning(found: Health) -> bool:
    """Whether the first numbers are so young that nobody can be expected to work yet, and nobody ever has."""
    first = found.oldest_raw or found.stored_at
    never = found.worker is None and not found.jobs
    return never and first is not None and found.at - first < BEGINS_WITHIN


def _behind(found: Health) -> Iterator[str]:
    if found.late is not None:
        yield _("Roll-ups are %(span)s behind: lists and long windows may be behind too.") % {
            "span": timesince(found.at - found.late, found.at, depth=1)
        }
    if (since := _unjudged(found)) is not None:
        yield _(
            "No look at the rules has ended well for %(span)s: what went wrong since then is not told, and "
            "what is over is still shown."
        ) % {"span": timesince(since, found.at, depth=1)}


def _unjudged(found: Health) -> datetime | None:
    """Return since when no look at the rules has ended well, ``None`` when that is not long."""
    look = next((job for job in found.jobs if job.name == alerts.JOB), None)
    if look is None:
        return None
    since = look.succeeded_at or look.started_at
    return since if found.at - since > alerts.STALE_AFTER else None


def _warnings(found: Health) -> Iterator[str]:
    if _is_fresh(found):
        # The pages' empty states say what to do.
        return
    if (found.worker is None or not found.worker.alive) and not _is_beginning(found):
        yield _(
            "Nobody does the periodic work, so priorities, roll-ups and silences stand still, and no rule "
            "is judged. It runs in the web processes, “manage.py qaprod_worker” or “manage.py qaprod_tick”."
        )
    else:
        yield from _behind(found)
    if found.stored_at is not None and found.at - found.stored_at > QUIET_AFTER:
        yield _(
            "The last records were stored %(ago)s. If the site had visitors since then, "
            "no drainer is running: what you see is from before."
        ) % {"ago": ago(found.stored_at)}
    if found.failing_jobs:
        names = ", ".join(cut(job.name, 60) for job in found.failing_jobs)
        yield _("The last run of these jobs failed: %(names)s.") % {"names": names}
    if found.dropped:
        yield ngettext(
            "%(n)s record was given up, within the last day, so numbers may be too low.",
            "%(n)s records were given up, the last within a day, so numbers may be too low.",
            found.dropped,
        ) % {"n": number(found.dropped)}
