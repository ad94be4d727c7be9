"""The way from the spool to the sinks: what waits, for whom, and whether it moves."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from django.db import Error
from django.utils.module_loading import import_string

from .. import clock, conf
from ..pipeline import drainer, filelock, guard, process, spool
from ..queries import health as health_queries
from ..queries.health import Trouble
from . import backlog
from .backlog import Backlog
from .findings import Finding, error, number, ok, unknown, warning, words

TWO_PASSES = 2 * drainer.EVERY + 0.5
#: What a sink has said of itself for so long is news: twice as long as it takes to be reported.
_NEWS = timedelta(seconds=2 * process.HEALTH_EVERY)
_TAKES_NOTHING = "See below what it has said last, and whether what it sends to can be reached from here."
_NOBODY_DRAINS = (
    "Run `manage.py qaprod_worker`, `manage.py qaprod_tick` by cron, or let the web processes: "
    "QAPROD['BACKGROUND'] = 'thread'."
)
_SEND_A_TEST = "manage.py qaprod_doctor --send-test"


class _Looks(NamedTuple):
    """The spool at two moments between which a drainer should have passed, and whether there is one.

    Twice the same one where nothing waits.
    """

    first: Backlog
    second: Backlog
    drained: bool

    def stands(self, sink: str) -> bool:
        """Whether something waits for a sink that has taken nothing meanwhile."""
        return bool(self.waiting(sink)) and self.first.cursors.get(sink) == self.second.cursors.get(sink)

    def waiting(self, sink: str) -> int:
        return self.second.waiting.get(sink, 0)


def of_spool() -> Iterator[Finding]:
    """Yield how full the spool is, and whether somebody drains it."""
    status = spool.status()
    if status.directory is None:
        yield warning(
            "spool",
            f"Memory serves instead of a directory: {status.problem}",
            "What is not stored yet is lost when a process dies. Give QAPROD['SPOOL_DIR'] its own directory.",
        )
        return
    most = conf.settings().spool_max_bytes
    segments = number(status.segments, "segment")
    size = f"{segments}, {status.bytes / 1e6:.1f} MB of {most / 1e6:.0f} in {status.directory}"
    if status.bytes >= most:
        yield error(
            "spool", f"It is full: {size}. New records are dropped.", "See what is said about the sinks."
        )
    else:
        yield ok("spool", f"{size}.")
    if filelock.is_held(status.directory / drainer.LOCK_NAME):
        yield ok("drainer", "A process of this machine drains.")


def of_sinks() -> Iterator[Finding]:
    """Yield of each sink whether it has what it should have, as far as that is known now."""
    paths = conf.sink_paths()
    if not paths:
        yield error("sinks", "QAPROD['SINKS'] is empty: nothing is stored.")
        return
    directory = spool.status().directory
    found = {path: _name(path) for path in paths}
    looks = _look_twice(directory, _names(found.values())) if directory is not None else None
    told = _told()
    for path, name in found.items():
        yield _of_sink(path, name, looks, told) if isinstance(name, str) else name


def sink_names() -> list[str]:
    """Return the names of those sinks that can be made; each is made for that and let go of."""
    return _names(_name(path) for path in conf.sink_paths())


def _names(found: Iterable[str | Finding]) -> list[str]:
    return [name for name in found if isinstance(name, str)]


def _name(path: str) -> str | Finding:
    """Return what a sink is called, which is made for that and let go of; else what is wrong with it."""
    # What it logs meanwhile is no failure of the host's.
    with guard.ours():
        try:
            make = import_string(path)
        except Exception as problem:  # noqa: BLE001 - whatever its module raises is what there is to say
            return error("sinks", f"{path} cannot be imported: {words(problem)}")
        try:
            sink = make()
            name = str(sink.name)
        except Exception as problem:  # noqa: BLE001 - so it is with what makes it
            return error("sinks", f"{path} cannot be made, so it takes nothing: {words(problem)}")
    with guard.guard("sinks"):
        sink.close()
    return name


def _look_twice(directory: Path, sinks: Collection[str]) -> _Looks:
    first = second = backlog.of(directory, sinks)
    if any(first.waiting.values()):
        # What came in this moment is none: a drainer passes every 2.5 seconds.
        time.sleep(TWO_PASSES)
        second = backlog.of(directory, sinks)
    held = filelock.is_held(directory / drainer.LOCK_NAME)
    return _Looks(first, second, drained=held or first.moved_at != second.moved_at)


def _told() -> list[Trouble]:
    """Return what was reported lately from this machine; nothing where the database cannot be asked."""
    try:
        found = health_queries.troubles(clock.now() - _NEWS)
    except Error:
        # Other parts say so, and the spool is seen all the same.
        return []
    return [trouble for trouble in found if trouble.host == process.host()]


def _of_sink(path: str, name: str, looks: _Looks | None, told: list[Trouble]) -> Finding:
    if looks is None:
        return unknown("sinks", f"{path}: each process carries its own memory to it, out of sight from here.")
    if looks.stands(name):
        return _standing(name, looks)
    part = f"sink.{name}"
    for trouble in told:
        if trouble.part == part or trouble.part.startswith(f"{part}."):
            said = f"{number(trouble.errors, 'error')}, {trouble.dropped} dropped so far"
            return warning(
                "sinks",
                f"{path}: {said}, reported at {trouble.at:%H:%M:%S}. {trouble.last_error}".rstrip(),
                _TAKES_NOTHING,
            )
    if looks.second.moved_at is None or name not in looks.second.cursors:
        return unknown(
            "sinks", f"{path}: not yet reported. Nothing was carried to it from here so far.", _SEND_A_TEST
        )
    waiting = f"{looks.waiting(name) / 1e6:.3f} MB wait for it, and it takes them"
    state = waiting if looks.waiting(name) else "nothing waits for it"
    return ok(
        "sinks",
        f"{path}: {state}, as of {clock.now():%H:%M:%S}; something was carried last at "
        f"{clock.moment(looks.second.moved_at):%Y-%m-%d %H:%M:%S}. What it drops is told within a minute.",
    )


def _standing(name: str, looks: _Looks) -> Finding:
    message = f"{looks.waiting(name) / 1e6:.3f} MB wait for the sink {name}, and"
    if not looks.drained:
        moved_at = looks.second.moved_at
        since = "" if moved_at is None else f" since {clock.moment(moved_at):%Y-%m-%d %H:%M:%S}"
        return error("drainer", f"{message} nothing moves{since}.", _NOBODY_DRAINS)
    if looks.first.waiting.get(name):
        return error("sinks", f"{message} it takes nothing.", _TAKES_NOTHING)
    return unknown("sinks", f"{message} came only now.")
