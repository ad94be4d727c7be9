"""The doctor: looks at every part of an installation and says what is on, what is wrong and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeAlias

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.db import Error, connections, router
from django.utils.module_loading import import_string

from . import clock, conf, registry, vault
from .apps import TAG
from .capture import logging as log_capture
from .forms import checks as forms_checks
from .forms import waiting as waiting_files
from .models import RescuedSubmission
from .pipeline import drainer, filelock, process, spool
from .queries import health as health_queries
from .records import Cell, FailureRecord, NumbersRecord, new_id
from .store import probes, retention, submissions
from .text import one_line

#: Seconds that a test record may take through spool, drainer and sinks.
TEST_WITHIN = 20.0
_POLL = 0.25
_TWO_PASSES = 2 * drainer.EVERY + 0.5
_SINK_TAKES_NOTHING = (
    "See below what it has said last, and whether what it sends to can be reached from here."
)
_NOBODY_DRAINS = (
    "If no process drains, run `manage.py qaprod_worker`, or let the web processes: QAPROD['BACKGROUND'] = "
    "'thread'. If one does, the sink takes nothing: see its log."
)


class Level(StrEnum):
    """How serious a finding is. Only errors make the doctor's exit status 1."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one part, and what to do about it."""

    part: str
    level: Level
    message: str
    hint: str = ""


_Look: TypeAlias = Callable[[], Iterable[Finding]]


def examine(*, deploy: bool = False) -> list[Finding]:
    """Look at every part. Never raises: a part that cannot be looked at is a finding.

    What concerns production alone is left out where ``DEBUG`` is on, unless ``deploy``.
    """
    settings = partial(_settings, deploy=deploy or not django_settings.DEBUG)
    parts: dict[str, _Look] = {"settings": settings, **_PARTS}
    return [finding for part, look in parts.items() for finding in _look(part, look)]


def send_test(*, within: float = TEST_WITHIN) -> Finding:
    """Send a failure and a number the whole way, wait until they are stored, and remove them."""
    mark = f"qaprod-doctor-{new_id()}"
    began = time.monotonic()
    for record in _test_records(mark):
        process.submit(record)
    try:
        arrived = _wait(mark, began + within)
        probes.remove(mark)
    except Error as error:
        return _error("test", f"The store cannot be asked: {_words(error)}")
    took = time.monotonic() - began
    if arrived:
        return _ok("test", f"A failure and a number went the whole way in {took:.1f} s, and were removed.")
    return _error(
        "test",
        f"A failure and a number were not stored within {took:.0f} s.",
        "What is said above about spool, sinks and tables tells where they are stuck; they are stored later.",
    )


def _test_records(mark: str) -> tuple[FailureRecord, NumbersRecord]:
    at = time.time()
    failure = FailureRecord(
        id=new_id(at),
        at=at,
        kind="logged",
        severity="info",
        fingerprint=mark,
        error_type="Test",
        message="A test by qaprod_doctor, which removes it again.",
        host=process.host(),
    )
    cell = Cell(name=probes.SERIES, label=mark, attributes=(), start=int(at) // 60 * 60, count=1)
    return failure, NumbersRecord(id=new_id(at), at=at, cells=(cell,))


def _wait(mark: str, deadline: float) -> bool:
    # Whoever is this machine's drainer may do it; if nobody is, we are.
    while True:
        drainer.drain_now(deadline=deadline)
        if probes.arrived(mark):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)


def _look(part: str, look: _Look) -> list[Finding]:
    try:
        return list(look())
    except Error as error:
        return [_error(part, f"The database cannot be asked: {_words(error)}", "Is it up, and migrated?")]


def _settings(*, deploy: bool) -> Iterator[Finding]:
    chosen = conf.settings()
    if not chosen.enabled:
        yield _warning("settings", "QAPROD['ENABLED'] is false: nothing is recorded.")
    elif chosen.release:
        yield _ok("settings", f"On. The release is {chosen.release}.")
    else:
        yield _ok("settings", "On. No release is set: QAPROD['RELEASE'] would mark deploys on the charts.")
    for message in checks.run_checks(tags=[TAG], include_deployment_checks=deploy):
        if not message.is_silenced():
            words = f"{message.id}: {message.msg}"
            yield Finding(part="settings", level=_level(message), message=words, hint=message.hint or "")


def _level(message: checks.CheckMessage) -> Level:
    if message.level >= checks.ERROR:
        return Level.ERROR
    return Level.WARNING if message.level >= checks.WARNING else Level.OK


def _middleware() -> Iterator[Finding]:
    listed = list(django_settings.MIDDLEWARE)
    if conf.MIDDLEWARE not in listed:
        yield _warning(
            "middleware",
            "It is not installed: requests are not counted and degradations have no request.",
            f"List {conf.MIDDLEWARE!r} first in MIDDLEWARE, or leave QAPROD['AUTO_MIDDLEWARE'] on.",
        )
    elif listed[0] != conf.MIDDLEWARE:
        yield _warning(
            "middleware", f"It is number {listed.index(conf.MIDDLEWARE) + 1}; what is before it is not seen."
        )
    else:
        yield _ok("middleware", "It is the first.")


def _logs() -> Iterator[Finding]:
    if log_capture.logging_installed():
        yield _ok("logs", "Log records of ERROR and above are failures.")
    else:
        yield _warning(
            "logs",
            "Log records are not seen: something has replaced the log record factory.",
            "Whoever calls logging.setLogRecordFactory() has to call the factory that was there before.",
        )


def _spool() -> Iterator[Finding]:
    status = spool.status()
    if status.directory is None:
        yield _warning(
            "spool",
            f"Memory serves instead of a directory: {status.problem}",
            "What is not stored yet is lost when a process dies. Give QAPROD['SPOOL_DIR'] its own directory.",
        )
        return
    most = conf.settings().spool_max_bytes
    segments = _number(status.segments, "segment")
    size = f"{segments}, {status.bytes / 1e6:.1f} MB of {most / 1e6:.0f} in {status.directory}"
    if status.bytes >= most:
        yield _error(
            "spool", f"It is full: {size}. New records are dropped.", "See what is said about the sinks."
        )
    else:
        yield _ok("spool", f"{size}.")
    if filelock.is_held(status.directory / drainer.LOCK_NAME):
        yield _ok("drainer", "A process of this machine drains.")
    yield from _backlog(status.directory)


def _backlog(path: Path) -> Iterator[Finding]:
    first = drainer.backlog(path)
    if not any(first.waiting.values()):
        return
    # What came in this moment is none: a drainer passes every 2.5 seconds.
    time.sleep(_TWO_PASSES)
    second = drainer.backlog(path)
    moves = second.moved_at != first.moved_at
    for sink, waiting in second.waiting.items():
        if not waiting or second.cursors.get(sink) != first.cursors.get(sink):
            continue
        message = f"{waiting / 1e6:.3f} MB wait for the sink {sink}, and"
        if moves and first.waiting.get(sink):
            yield _error("sinks", f"{message} it takes nothing.", _SINK_TAKES_NOTHING)
        elif not moves:
            yield _error("drainer", f"{message} nothing moves{_since(second.moved_at)}.", _NOBODY_DRAINS)


def _sinks() -> Iterator[Finding]:
    paths = conf.sink_paths()
    if not paths:
        yield _error("sinks", "QAPROD['SINKS'] is empty: nothing is stored.")
    for path in paths:
        try:
            import_string(path)
        except ImportError as error:
            yield _error("sinks", f"{path} cannot be imported: {_words(error)}")
        else:
            yield _ok("sinks", path)


def _tables() -> Iterator[Finding]:
    wanted: dict[str, set[str]] = {}
    for model in apps.get_app_config("qaprod").get_models():
        if model._meta.proxy or not model._meta.managed:
            continue
        wanted.setdefault(router.db_for_write(model) or "default", set()).add(model._meta.db_table)
    for alias, tables in sorted(wanted.items()):
        missing = tables - set(connections[alias].introspection.table_names())
        if missing:
            yield _error(
                "tables",
                f"{len(missing)} of {len(tables)} are missing in {alias!r}.",
                f"manage.py migrate --database {alias}",
            )
        else:
            yield _ok("tables", f"All {len(tables)} are there in {alias!r} ({connections[alias].vendor}).")


def _worker() -> Iterator[Finding]:
    found = health_queries.health()
    holder = found.worker
    if holder is not None and holder.alive:
        # It may have died since it took the lease; that ends by itself.
        yield _ok("worker", f"{holder.name} has the lease until {holder.expires_at:%H:%M:%S}.")
    else:
        hint = "A web process starts it with its first request; `manage.py qaprod_worker` is one of its own."
        message = "Nobody works now." if found.jobs else "Nobody has worked yet."
        yield _error("worker", message, hint) if found.late else _warning("worker", message, hint)
    if found.late:
        yield _error("worker", f"Roll-ups are {_span(found.late)} behind: pages are slower, lists are stale.")
    for job in found.failing_jobs:
        yield _error("worker", f"The job {job.name} failed at {job.started_at:%Y-%m-%d %H:%M}: {job.error}")


def _gauges() -> Iterator[Finding]:
    declared = {spec.name for spec in registry.gauges()}
    if not declared:
        yield _ok("gauges", "None is declared.")
        return
    runs = [run for run in health_queries.gauges() if run.name in declared]
    failing = [run for run in runs if run.error]
    last = max((run.succeeded_at for run in runs if run.succeeded_at is not None), default=None)
    read = f"the last was read at {last:%Y-%m-%d %H:%M:%S}" if last is not None else "none has been read yet"
    message = f"{len(declared)} declared, {len(failing)} failing; {read}."
    if last is None:
        yield _warning("gauges", message, "The worker reads them: see what is said about it.")
    else:
        yield _ok("gauges", message)
    for run in failing:
        yield _warning(
            "gauges",
            f"{run.name} failed at {run.started_at:%Y-%m-%d %H:%M:%S}: {run.error}",
            f"The admin has its failures: search for kind:gauge name:{run.name}",
        )


def _troubles() -> Iterator[Finding]:
    found = health_queries.health()
    for trouble in found.troubles:
        errors, dropped = _number(trouble.errors, "error"), _number(trouble.dropped, "record")
        said = f"{trouble.part} on {trouble.host}: {errors}, {dropped} dropped"
        yield _warning(
            "inside", f"{said}, last at {trouble.at:%Y-%m-%d %H:%M}. {trouble.last_error}".rstrip()
        )
    if not found.troubles:
        yield _ok("inside", "Nothing was dropped and nothing went wrong inside us for a day.")


def _rescue() -> Iterator[Finding]:
    if vault.is_derived():
        yield _ok(
            "rescue",
            "Without QAPROD['RESCUE_KEYS'] the key is derived from SECRET_KEY. It ends with DEBUG: then "
            "nothing is kept, and what was kept before cannot be read.",
        )
    elif vault.available():
        yield _ok("rescue", "There are keys: what is sent while a view fails can be kept.")
    elif forms_checks.rescues_anything():
        yield _warning(
            "rescue",
            "QAPROD['RESCUE_KEYS'] has no key: what is sent to a form while its view fails is not kept.",
            vault.MAKE_A_KEY,
        )
    else:
        yield _ok("rescue", "There are no keys, and no view with serve_form that needs one.")
    if (path := spool.status().directory) is not None:
        yield from _submission_files(waiting_files.status(path))


def _submissions() -> Iterator[Finding]:
    oldest = submissions.oldest_waiting()
    if oldest is None:
        yield _ok("submissions", "No rescued submission waits for anybody.")
    else:
        number = submissions.counts()[RescuedSubmission.State.WAITING]
        yield _warning(
            "submissions",
            f"Rescued submissions that wait: {number}, the oldest since {oldest:%Y-%m-%d %H:%M}.",
            "Replay them in the admin when what they met is mended, or discard them.",
        )
    if submissions.is_full():
        yield _error(
            "submissions",
            f"As many wait as may, {retention.most('submissions')}: what is sent now is not kept.",
            "Replay or discard them, or raise QAPROD['MAX_ROWS']['submissions'].",
        )
    if soon := submissions.expiring_soon():
        yield _warning(
            "submissions",
            f"Of those that wait, {soon} will be deleted within {submissions.WARN_WITHIN.days} days.",
            "Replay or discard them, or raise QAPROD['RETENTION_DAYS']['submissions'].",
        )


def _submission_files(found: waiting_files.WaitingStatus) -> Iterator[Finding]:
    if found.waiting:
        since = clock.moment(found.oldest) if found.oldest is not None else clock.now()
        yield _warning(
            "rescue",
            f"Rescued submissions in the spool: {found.waiting}, the oldest since {since:%Y-%m-%d %H:%M}.",
            "They are stored when the database takes them and a process drains.",
        )
    if found.unreadable:
        yield _error(
            "rescue",
            f"Rescued submissions in the spool that cannot be read: {found.unreadable}.",
            "Put the key back that is missing in QAPROD['RESCUE_KEYS'], and restart what drains.",
        )


_PARTS: dict[str, _Look] = {
    "middleware": _middleware,
    "logs": _logs,
    "spool": _spool,
    "sinks": _sinks,
    "tables": _tables,
    "worker": _worker,
    "gauges": _gauges,
    # Apart, so that the files are seen with the database dead.
    "rescue": _rescue,
    "submissions": _submissions,
    "inside": _troubles,
}


def _since(at: float | None) -> str:
    return "" if at is None else f" since {clock.moment(at):%Y-%m-%d %H:%M:%S}"


def _span(span: timedelta) -> str:
    return str(span).partition(".")[0]


def _number(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _words(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", 300)


def _ok(part: str, message: str) -> Finding:
    return Finding(part=part, level=Level.OK, message=message)


def _warning(part: str, message: str, hint: str = "") -> Finding:
    return Finding(part=part, level=Level.WARNING, message=message, hint=hint)


def _error(part: str, message: str, hint: str = "") -> Finding:
    return Finding(part=part, level=Level.ERROR, message=message, hint=hint)
