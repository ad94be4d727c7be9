"""What a setup means for the promises: the middleware, the spool, the server, the databases."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004 - Django's names
from django.db import router

from .. import conf
from ..pipeline import guard, spool

Messages = Iterator[CheckMessage]


def check() -> Messages:
    """Yield what keeps something from being recorded, or from being there after a crash."""
    yield from _middleware()
    yield from _spool()
    yield from server()
    yield from _shared_sqlite()
    yield from _events_elsewhere()
    yield from _flags()


def check_deployment() -> Messages:
    """Yield what matters in production alone, and which promise holds for events."""
    yield from _temporary_spool()
    yield from _sqlite_options()
    yield from _promise()


def _middleware() -> Messages:
    listed = list(django_settings.MIDDLEWARE)
    times = listed.count(conf.MIDDLEWARE)
    if times > 1:
        yield Error(
            f"{conf.MIDDLEWARE} stands in MIDDLEWARE {times} times: every request is counted {times} times.",
            hint="List it once, first, or not at all.",
            id="qaprod.E010",
        )
    if not times:
        yield Warning(
            "The middleware is not installed: requests are not counted, and failures do not know theirs.",
            hint=f"List {conf.MIDDLEWARE!r} first in MIDDLEWARE, or leave QAPROD['AUTO_MIDDLEWARE'] on.",
            id="qaprod.W001",
        )
    elif listed[0] != conf.MIDDLEWARE:
        yield Warning(
            "The middleware is not the first: what those before it answer themselves is not counted, "
            "and their time is not measured.",
            hint=f"Put {conf.MIDDLEWARE!r} first, or take it out: the app puts it there by itself.",
            id="qaprod.W002",
        )


def _spool() -> Messages:
    path = spool.chosen()
    problem = _spool_problem(path)
    if problem:
        yield Warning(
            f"There is no directory for the spool, so memory serves: {problem}",
            hint="What the database has not yet taken is lost when a process ends, and beyond 8 MB a process "
            "drops it. Set QAPROD['SPOOL_DIR'] to a directory that belongs to the user of the server alone.",
            id="qaprod.W003",
        )
    elif (parent := _renamable(path)) is not None:
        yield Warning(
            f"Others may put a directory of their own in the spool's place: all may write to {parent}.",
            hint=f"Take that right away, or set the sticky bit (chmod +t {parent}).",
            id="qaprod.W004",
        )


def _flags() -> Messages:
    for label in conf.settings().flags:
        try:
            apps.get_model(label)
        except (LookupError, ValueError):
            yield Error(
                f"QAPROD['FLAGS'] names {label!r}, which is no model: its changes are not seen.",
                hint="Write it as app_label.ModelName, of an app that is installed: 'waffle.Flag'.",
                id="qaprod.E034",
            )


def server() -> Messages:
    """Yield what is wrong with the server that this process runs in."""
    try:
        import uwsgi  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return
    options = {_text(key): value for key, value in uwsgi.opt.items()}
    if not _is_on(options, "enable-threads") and _text(options.get("threads", "1")) in {"0", "1"}:
        yield Warning(
            "uWSGI runs without threads, so nothing is moved from the spool to the sinks.",
            hint="Start it with --enable-threads, or run manage.py qaprod_worker beside it.",
            id="qaprod.W005",
        )
    if not _is_on(options, "py-call-uwsgi-fork-hooks"):
        yield Warning(
            "uWSGI does not call Python's fork hooks: a lock that is held while it forks stays locked.",
            hint="Start it with --py-call-uwsgi-fork-hooks.",
            id="qaprod.W006",
        )


def _shared_sqlite() -> Messages:
    alias = conf.telemetry_alias()
    if _is_sqlite(alias) and alias == conf.events_alias():
        yield Warning(
            f"Telemetry is written to the project's own SQLite database ({alias!r}): a request that reads "
            'and then writes fails with "database is locked" when we write in between.',
            hint="Leave QAPROD['DATABASE'] out, so that telemetry gets a file of its own, or name another "
            "database there.",
            id="qaprod.W007",
        )


def _events_elsewhere() -> Messages:
    home = conf.events_alias()
    others = sorted(_host_aliases() - {home})
    if others:
        yield Warning(
            f"Events are kept in {home!r}, but models of the project in {', '.join(map(repr, others))}: "
            "recorded inside a transaction there, an event is written after the commit, at most once, and a "
            "crash in between loses it.",
            hint="Set QAPROD['EVENTS_DATABASE'] to where the work is written; if events are never recorded "
            "in transactions of the others, silence this check.",
            id="qaprod.W008",
        )


def _temporary_spool() -> Messages:
    path, temporary = spool.chosen(), Path(tempfile.gettempdir())
    if path.is_relative_to(temporary):
        yield Warning(
            f"The spool is below {temporary}, which is emptied at a reboot and perhaps while the site "
            "runs: failures that the database has not yet taken are lost then.",
            hint="Set QAPROD['SPOOL_DIR'] to a directory that stays, such as /var/lib/yourproject/qaprod.",
            id="qaprod.W009",
        )


def _sqlite_options() -> Messages:
    alias = conf.events_alias()
    options = django_settings.DATABASES.get(alias, {}).get("OPTIONS", {})
    immediate = str(options.get("transaction_mode", "")).upper() in {"IMMEDIATE", "EXCLUSIVE"}
    wal = "WAL" in str(options.get("init_command", "")).upper()
    if _is_sqlite(alias) and not (immediate and wal):
        yield Warning(
            f"The SQLite database {alias!r} is not set up for several writers: a transaction that reads "
            'before it writes can fail with "database is locked" at once, whatever the timeout.',
            hint='Give it "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": '
            '"PRAGMA journal_mode=WAL"}.',
            id="qaprod.W010",
        )


def _promise() -> Messages:
    home, telemetry = conf.events_alias(), conf.telemetry_alias()
    elsewhere = f" Telemetry is in {telemetry!r}; no promise depends on it." if telemetry != home else ""
    yield Info(
        f"Events are kept in {home!r}. Inside a transaction there, an event commits with the work: both or "
        "neither. Outside a transaction it is written at once, or spooled if the database refuses it. Inside "
        "a transaction on another alias it is written after the commit, at most once. strict=True raises "
        f"what is refused.{elsewhere}",
        id="qaprod.I001",
    )


def _spool_problem(path: Path) -> str:
    try:
        return spool.unusable(path)
    except FileNotFoundError:
        parent = next(found for found in path.absolute().parents if found.exists())
        writable = os.access(parent, os.W_OK | os.X_OK)
        return "" if writable else f"{path} cannot be made: {parent} cannot be written."
    except OSError as error:
        return f"{path}: {error.strerror}."


def _renamable(path: Path) -> Path | None:
    """Return the directory above the spool in which anybody may rename it."""
    for parent in path.absolute().parents:
        if parent.exists() and parent.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            return parent
    return None


def _host_aliases() -> set[str]:
    aliases: set[str] = set()
    # A router of the host may need more than we can tell it here.
    with guard.guard("checks"):
        for model in apps.get_models():
            if model._meta.managed and not model.__module__.startswith(("django.", "django_qaprod.")):
                aliases.add(router.db_for_write(model))
    return aliases


def _is_sqlite(alias: str) -> bool:
    engine = django_settings.DATABASES.get(alias, {}).get("ENGINE", "")
    return engine.rpartition(".")[2] in {"sqlite3", "spatialite"}


def _is_on(options: Mapping[str, object], name: str) -> bool:
    return name in options and _text(options[name]).lower() not in {"0", "false", "no"}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
