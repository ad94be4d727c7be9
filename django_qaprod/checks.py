"""System checks: what is wrong in settings and declarations, and what a setup means for the promises.

No check touches a database or makes a directory. ``docs/checks.md`` explains each id.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004 - Django's names
from django.db import router
from django.urls import get_resolver
from django.utils.module_loading import import_string

from . import conf, registry
from .forms import checks as forms
from .logs import checks as logs
from .pipeline import guard, scrub, spool
from .store import retention

logger = logging.getLogger("django_qaprod")

Messages = Iterator[CheckMessage]

# The keys that hold the options of an adapter: where it sends, and how one of its options is written.
_ADAPTERS = {
    "STATSD": ("StatsD", "{'HOST': 'localhost'}"),
    "OPENTELEMETRY": ("OpenTelemetry", "{'TRACES': False}"),
    "SENTRY": ("Sentry", "{'DSN': 'https://<key>@<host>/<number>'}"),
}


def check_always(*, app_configs: object = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong."""
    found = [
        *_keys(),
        *_adapters(),
        *_aliases(),
        *_sinks(),
        *_fingerprint(),
        *_patterns(),
        *_retention(),
        *_journeys(),
    ]
    if conf.settings().enabled:
        found += [*_middleware(), *_spool(), *_server(), *_shared_sqlite(), *_events_elsewhere()]
        found += [*forms.check_always(), *logs.check()]
    return found


def check_deployment(*, app_configs: object = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what matters in production alone (``manage.py check --deploy``)."""
    if not conf.settings().enabled:
        return []
    return [*_temporary_spool(), *_sqlite_options(), *forms.check_deployment(), *_promise()]


def warn_about_server() -> None:
    """Log what is wrong with the server that this process runs in: servers run no checks."""
    for message in _server():
        logger.warning("%s %s (%s)", message.msg, message.hint, message.id)


def _keys() -> Messages:
    known = [field.name.upper() for field in fields(conf.Settings)]
    given, defaults = getattr(django_settings, "QAPROD", {}), conf.Settings()
    for problem in conf.problems():
        if problem.unknown:
            yield Error(
                f"QAPROD has no key {problem.key!r}; it is ignored.",
                hint=_did_you_mean(problem.key, known),
                id="qaprod.E001",
            )
        elif problem.key == "QAPROD":
            yield _wrong("QAPROD", {}, given, problem.expected, number="E002")
        elif problem.key in _ADAPTERS:
            name, example = _ADAPTERS[problem.key]
            yield Error(
                f"QAPROD[{problem.key!r}] is of the wrong type, so it is off: nothing goes to {name}.",
                hint=f"Write a dict of its options, {example} for instance, or {{}} for their defaults.",
                id="qaprod.E002",
            )
        else:
            name, default = f"QAPROD[{problem.key!r}]", getattr(defaults, problem.key.lower())
            yield _wrong(name, default, given[problem.key], problem.expected, number="E002")


def _adapters() -> Messages:
    chosen = conf.settings()
    if chosen.statsd is None and chosen.opentelemetry is None and chosen.sentry is None:
        return
    from . import options

    kinds = {key: kind for kind, key in options.KEYS.items()}
    for key, problem in options.problems():
        if problem.unknown:
            yield Error(
                f"QAPROD[{key!r}] has no key {problem.key!r}; it is ignored.",
                hint=_did_you_mean(problem.key, options.names(kinds[key])),
                id="qaprod.E014",
            )
        else:
            default = getattr(kinds[key](), problem.key.lower())
            value = getattr(chosen, key.lower())[problem.key]
            name = f"QAPROD[{key!r}][{problem.key!r}]"
            yield _wrong(name, default, value, problem.expected, number="E015")
    for path in conf.adapter_paths():
        # One that cannot be imported is reported with the sinks.
        with suppress(ImportError):
            yield from import_module(path.rpartition(".")[0]).check()


def _wrong(name: str, default: object, value: object, expected: str, *, number: str) -> Error:
    """Return the error of what is of another type than its default, or of that type and still wrong."""
    wrong = "has a wrong value" if type(value) is type(default) else "is of the wrong type"
    return Error(
        f"{name} {wrong}; the default is used.", hint=f"It should be {expected}.", id=f"qaprod.{number}"
    )


def _aliases() -> Messages:
    chosen = conf.settings()
    for key, alias, number in (
        ("DATABASE", chosen.database, "E003"),
        ("EVENTS_DATABASE", chosen.events_database, "E004"),
    ):
        if alias and alias not in django_settings.DATABASES:
            yield Error(
                f"QAPROD[{key!r}] is {alias!r}, which is not in DATABASES.",
                hint=f"Define it there, or name one of: {', '.join(sorted(django_settings.DATABASES))}.",
                id=f"qaprod.{number}",
            )


def _sinks() -> Messages:
    for path in conf.sink_paths():
        sink, error = _imported(path)
        if error:
            yield Error(
                f"QAPROD['SINKS']: {path!r} cannot be imported ({error}); nothing goes there.",
                hint="Correct the dotted path, or install what it needs.",
                id="qaprod.E005",
            )
        elif not _makes_sinks(sink):
            yield Error(
                f"QAPROD['SINKS']: {path!r} is not a sink; nothing goes there.",
                hint="Name a class that is made without arguments and has what "
                "django_qaprod.typing.Sink asks for: name, write(batch) and close().",
                id="qaprod.E006",
            )


def _fingerprint() -> Messages:
    path = conf.settings().fingerprint
    if not path:
        return
    function, error = _imported(path)
    if error or not callable(function):
        wrong = f"cannot be imported ({error})" if error else "is no function"
        yield Error(
            f"QAPROD['FINGERPRINT']: {path!r} {wrong}; failures are grouped as by default.",
            hint="Name a function that takes the error and the default fingerprint, and returns a string.",
            id="qaprod.E007",
        )


def _patterns() -> Messages:
    for pattern in scrub.bad_patterns():
        yield Error(
            f"QAPROD['SCRUB_PATTERNS']: {pattern!r} is not a regular expression; it scrubs nothing.",
            hint=r"Write it as for Python's re module, r'\bNL\d{2}[A-Z]{4}\d{10}\b' for instance.",
            id="qaprod.E008",
        )


def _retention() -> Messages:
    chosen = conf.settings()
    known: tuple[tuple[str, Mapping[str, int], Iterable[str]], ...] = (
        ("RETENTION_DAYS", chosen.retention_days, retention.DAYS),
        ("MAX_ROWS", chosen.max_rows, retention.ROWS),
    )
    for key, given, names in known:
        for name in given.keys() - set(names):
            yield Error(
                f"QAPROD[{key!r}] has no key {name!r}; it is ignored.",
                hint=_did_you_mean(name, sorted(names)),
                id="qaprod.E009",
            )


def _journeys() -> Messages:
    if getattr(django_settings, "ROOT_URLCONF", None):
        # Views name journeys when they are imported. What is wrong with the URLs, Django's own check says.
        with guard.guard("checks"):
            get_resolver().url_patterns  # noqa: B018
    known = [spec.name for spec in registry.journeys()]
    for name, by in registry.unknown_references():
        yield Error(
            f"{by} names the journey {name!r}, which nobody has declared: its failures belong to none.",
            hint=f"{_did_you_mean(name, known)} A Journey can be given as such, too.",
            id="qaprod.E011",
        )


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


def _server() -> Messages:
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


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1) or difflib.get_close_matches(name.upper(), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(known) or 'none'}."


def _imported(path: str) -> tuple[object, str]:
    try:
        return import_string(path), ""
    except Exception as error:  # noqa: BLE001 - whatever that module raises is what there is to say
        return None, f"{type(error).__name__}: {error}"


def _makes_sinks(found: object) -> bool:
    """Whether it is a class of sinks, or a function that may return one; none is made here."""
    if inspect.isclass(found) and not all(
        callable(getattr(found, name, None)) for name in ("write", "close")
    ):
        return False
    if not callable(found):
        return False
    try:
        inspect.signature(found).bind()
    except TypeError:
        return False
    return True


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
