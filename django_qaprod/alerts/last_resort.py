"""The last resort: when the database is dead, no rule can fire, so whoever drains tells of it by itself.

A thread beside the drainer looks at it from outside, since the drainer may be stuck in a database that takes
connections and never answers. No database is touched. What was told stands in a file of the spool, so that
one message comes from a machine in an hour, however many processes drain it one after the other.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings as django_settings
from django.utils import translation
from django.utils.translation import gettext as _

from ..conf import settings
from ..pipeline import filelock, guard, process, spool
from ..pipeline.drainer import Drainer, Standing
from ..text import one_line

if TYPE_CHECKING:
    from .channels.base import Kind

#: Seconds between two looks.
LOOK_EVERY = 10.0
#: Seconds during which something waits and nothing moves, after which it is told.
AFTER = 120.0
#: Seconds between two messages of a machine.
HOUR = 3600.0
#: Seconds before a message that could not be sent is tried again.
RETRY_AFTER = 60.0

STAMP_NAME = "last-resort.json"


class _Stamp(NamedTuple):
    """What was told last: when, by the wall clock, and whether that is over and told, too."""

    at: float = 0.0
    over: bool = True


class LastResort:
    """Looks at a drainer; tells when nothing can be stored, and when it can again."""

    def __init__(self, drainer: Drainer) -> None:
        self._drainer = drainer
        self._stamps = _Stamps(spool.directory())
        self._mark: object = None
        #: By ``monotonic``: since when something waits and nothing has moved.
        self._since: float | None = None
        self._not_before = 0.0

    def run(self, stop: threading.Event) -> None:
        """Look until ``stop`` is set."""
        while not stop.wait(LOOK_EVERY):
            with guard.guard("last_resort"):
                self.look()

    def look(self) -> None:
        """Look once, and tell what there is to tell. Raises ``ChannelError`` when it could not be sent."""
        standing, now = self._drainer.standing(), monotonic()
        moved = self._mark is not None and standing.mark != self._mark
        self._mark = standing.mark
        if moved or not standing.waiting:
            self._since = None
            if moved and not standing.error:
                self._tell_the_end(now)
        elif self._since is None:
            self._since = now
        elif now - self._since >= AFTER:
            self._tell(standing, now, now - self._since)

    def _tell(self, standing: Standing, now: float, lasts: float) -> None:
        if now < self._not_before:
            return
        with self._stamps as stamps:
            if stamps is not None and not 0 <= time() - stamps.read().at < HOUR:
                self._not_before = now + RETRY_AFTER
                with _site_language():
                    subject, text = _subject(), _text(standing, lasts)
                _send("last resort", subject, text)
                stamps.write(_Stamp(at=time(), over=False))

    def _tell_the_end(self, now: float) -> None:
        # From memory, as long as all is well.
        if self._stamps.known.over or now < self._not_before:
            return
        with self._stamps as stamps:
            if stamps is not None and not (last := stamps.read()).over:
                self._not_before = now + RETRY_AFTER
                given = {"host": process.host()}
                with _site_language():
                    subject = _("%(host)s stores again what it records") % given
                    text = _("What waited on %(host)s is being stored. Nothing of it is lost.\n") % given
                _send("resolved", subject, text)
                stamps.write(last._replace(over=True))


class _Stamps:
    """The file that says what was told last, and its lock: memory where there is no directory, or no room."""

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / STAMP_NAME if directory is not None else None
        self._lock: int | None = None
        self.known = self._on_disk() or _Stamp()

    def __enter__(self) -> _Stamps | None:
        """Lock it; ``None`` when another process is about to tell."""
        if self._path is not None:
            try:
                self._lock = filelock.acquire(self._path.with_suffix(".lock"))
            except OSError:
                # Better twice than never.
                return self
            if self._lock is None:
                return None
        return self

    def __exit__(self, *args: object) -> None:
        if self._lock is not None:
            filelock.release(self._lock)
            self._lock = None

    def read(self) -> _Stamp:
        """Return what was told last, by whichever process."""
        found = self._on_disk()
        # What could not be written counts all the same, in this process.
        self.known = max(found, self.known) if found is not None else self.known
        return self.known

    def write(self, stamp: _Stamp) -> None:
        """Keep what was told; where it cannot be written, in memory alone."""
        self.known = stamp
        if self._path is not None:
            with guard.guard("last_resort"):
                new = self._path.with_suffix(".new")
                new.write_text(json.dumps(stamp._asdict()))
                new.replace(self._path)

    def _on_disk(self) -> _Stamp | None:
        try:
            found = json.loads(self._path.read_text()) if self._path is not None else {}
            return _Stamp(at=float(found["at"]), over=bool(found["over"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _site_language() -> translation.override:
    # That of whoever is reached, as in other messages.
    return translation.override(django_settings.LANGUAGE_CODE)


def _subject() -> str:
    return _("%(host)s cannot store what it records: no rule can fire") % {"host": process.host()}


def _text(standing: Standing, lasts: float) -> str:
    lines = [
        _("Since %(when)s nothing that %(host)s records could be stored, and %(size)s wait there.")
        % {"when": _when(time() - lasts), "host": process.host(), "size": _size(standing.waiting)},
        _("What it says: %(error)s")
        % {"error": one_line(standing.error, 500) or _("nothing. It may take connections and not answer.")},
        "",
        _(
            "Alerts are judged by what is stored, so none can fire or end until then, and the pages are "
            "of before. Nothing is lost as long as the disk has room: up to %(cap)s are kept."
        )
        % {"cap": _size(settings().spool_max_bytes)},
        _("Look at the database first. manage.py qaprod_doctor, on that machine, says more."),
        _("You hear of it once an hour by each machine, and when it is over."),
    ]
    return "\n".join(lines) + "\n"


def _send(kind: Kind, subject: str, text: str) -> None:
    options = settings().last_resort or {}
    # It may be the first time that this process imports what sends.
    with process.importing:
        from ..records import new_id
        from . import channels
        from .channels import configured
        from .channels.base import Message

        configured.prepare(options)
    message = Message(
        id=new_id(),
        kind=kind,
        severity="critical",
        subject=subject,
        text=text,
        look=settings().base_url,
        data={"host": process.host()},
    )
    channels.send_apart(options, message)


def _when(epoch: float) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M} UTC"


def _size(size: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size //= 1000
    return f"{size} GB"
