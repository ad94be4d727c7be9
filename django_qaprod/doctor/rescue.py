"""Rescued submissions: whether they can be kept, and which of them wait."""

from __future__ import annotations

from collections.abc import Iterator

from .. import clock, vault
from ..forms import checks as forms_checks
from ..forms import waiting as waiting_files
from ..models import RescuedSubmission
from ..pipeline import spool
from ..store import retention, submissions
from .findings import Finding, error, ok, warning


def of_keys_and_files() -> Iterator[Finding]:
    """Yield whether there are keys, and what waits in the spool."""
    if vault.is_derived():
        yield ok(
            "rescue",
            "Without QAPROD['RESCUE_KEYS'] the key is derived from SECRET_KEY. It ends with DEBUG: then "
            "nothing is kept, and what was kept before cannot be read.",
        )
    elif vault.available():
        yield ok("rescue", "There are keys: what is sent while a view fails can be kept.")
    elif forms_checks.rescues_anything():
        yield warning(
            "rescue",
            "QAPROD['RESCUE_KEYS'] has no key: what is sent to a form while its view fails is not kept.",
            vault.MAKE_A_KEY,
        )
    else:
        yield ok("rescue", "There are no keys, and no view with serve_form that needs one.")
    if (path := spool.status().directory) is not None:
        yield from _submission_files(waiting_files.status(path))


def of_submissions() -> Iterator[Finding]:
    """Yield what waits in the database."""
    oldest = submissions.oldest_waiting()
    if oldest is None:
        yield ok("submissions", "No rescued submission waits for anybody.")
    else:
        number = submissions.counts()[RescuedSubmission.State.WAITING]
        yield warning(
            "submissions",
            f"Rescued submissions that wait: {number}, the oldest since {oldest:%Y-%m-%d %H:%M}.",
            "Replay them in the admin when what they met is mended, or discard them.",
        )
    if submissions.is_full():
        yield error(
            "submissions",
            f"As many wait as may, {retention.most('submissions')}: what is sent now is not kept.",
            "Replay or discard them, or raise QAPROD['MAX_ROWS']['submissions'].",
        )
    if soon := submissions.expiring_soon():
        yield warning(
            "submissions",
            f"Of those that wait, {soon} will be deleted within {submissions.WARN_WITHIN.days} days.",
            "Replay or discard them, or raise QAPROD['RETENTION_DAYS']['submissions'].",
        )


def _submission_files(found: waiting_files.WaitingStatus) -> Iterator[Finding]:
    if found.waiting:
        since = clock.moment(found.oldest) if found.oldest is not None else clock.now()
        yield warning(
            "rescue",
            f"Rescued submissions in the spool: {found.waiting}, the oldest since {since:%Y-%m-%d %H:%M}.",
            "They are stored when the database takes them and a process drains.",
        )
    if found.unreadable:
        yield error(
            "rescue",
            f"Rescued submissions in the spool that cannot be read: {found.unreadable}.",
            "Put the key back that is missing in QAPROD['RESCUE_KEYS'], and restart what drains.",
        )
