"""The settings: one ``QAPROD`` dict over typed defaults.

``settings()`` never fails: a key that is unknown or of the wrong type is left at its default and
reported by the system checks (``problems()``).
"""

import sys
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from . import Plain
from .text import clean

#: The alias of the telemetry's own SQLite file.
SQLITE_TELEMETRY_ALIAS = "qaprod"

#: Characters of a release's name that are kept.
MAX_RELEASE = 100

MIDDLEWARE = "django_qaprod.capture.middleware.capture_requests"

#: The sinks that belong to adapters: on when their key is set.
_ADAPTERS = {
    "statsd": "django_qaprod.sinks.statsd.StatsDSink",
    "opentelemetry": "django_qaprod.sinks.opentelemetry.OpenTelemetrySink",
    "sentry": "django_qaprod.sinks.sentry.SentrySink",
}


class Settings(Plain):
    """Every key of ``QAPROD`` in lower case, with its default. ``docs/settings.md`` explains each."""

    enabled: bool = True
    auto_middleware: bool = True
    background: Literal["thread", "command"] = "thread"
    release: str = ""
    reraise: bool | None = None
    sinks: tuple[str, ...] = ("django_qaprod.sinks.database.DatabaseSink",)
    # Where else they go; ``adapters`` has their options
    statsd: Mapping[str, object] | None = None
    opentelemetry: Mapping[str, object] | None = None
    sentry: Mapping[str, object] | None = None
    log_requests: bool = False
    log_steps: bool = False
    usage_fields: Mapping[str, tuple[str, ...]] = {}
    resource_gauges: bool = True
    # Where things are kept
    database: str | None = None
    events_database: str = "default"
    spool_dir: str | Path | None = None
    spool_max_bytes: int = 256 * 1024 * 1024
    segment_max_bytes: int = 4 * 1024 * 1024
    # What is captured
    user_ids: Literal["plain", "hash", "off"] = "plain"
    trust_request_id: bool = True
    in_app: tuple[str, ...] = ()
    fingerprint: str = ""
    flags: tuple[str, ...] = ()
    ignore_loggers: tuple[str, ...] = ("django.security", "django.server", "django_qaprod")
    lines_per_request: int = 20
    scrub_keys: tuple[str, ...] = ()
    scrub_patterns: tuple[str, ...] = ()
    # Forms that are served whatever goes wrong
    rescue_keys: tuple[str, ...] = ()
    rescue_max_bytes: int = 5 * 1024 * 1024
    rescue_spool_max_bytes: int = 256 * 1024 * 1024
    serve_early: tuple[str, ...] = ()
    # Who is told
    base_url: str = ""
    channels: Mapping[str, Mapping[str, object]] = {}
    last_resort: Mapping[str, object] | None = None
    heartbeat_url: str = ""
    default_rules: bool = True
    notifications_per_hour: int = 20
    # How much is kept
    occurrences_per_failure: int = 50
    affected_per_failure: int = 10_000
    max_series: int = 2_000
    retention_days: Mapping[str, int] = {}
    max_rows: Mapping[str, int] = {}


_UNREAD = Settings()


class Problem(Plain):
    """A key of ``QAPROD`` that was not understood; ``unknown`` tells a stranger from a wrong type."""

    key: str
    unknown: bool
    expected: str


@cache
def settings() -> Settings:
    """Return the settings in force. Cached until Django's ``setting_changed`` names ``QAPROD``."""
    given = _given()
    wrong = {problem.key for problem in problems()}
    values = {
        key.lower(): _coerce(value, types_of_keys()[key.lower()])
        for key, value in given.items()
        if _is_known(key) and key not in wrong
    }
    if "release" in values:
        # It is on every record: what a database refuses there would be refused for good.
        values["release"] = clean(values["release"], MAX_RELEASE)
    return Settings(**values)


def known() -> Settings:
    """Return the settings in force, or the defaults while Django has not read the host's.

    For what may run before that, a line of the log for instance: it must not be what makes Django read them.
    """
    return settings() if django_settings.configured else _UNREAD


def problems() -> list[Problem]:
    """Return what is wrong in ``QAPROD``, for the system checks."""
    return list(_problems())


def in_test_run() -> bool:
    """Whether Django's test environment is set up in this process.

    It makes ``mail.outbox``; so does the locmem e-mail backend, which is no reason to go blind.
    """
    mail = sys.modules.get("django.core.mail")
    # Not ``hasattr``: Django 6.1's module has a ``__getattr__`` that takes its time to say no.
    if mail is None or "outbox" not in mail.__dict__:
        return False
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data") if state is not None else False


def reraising() -> bool:
    """Whether the developer gets to see errors: ``QAPROD["RERAISE"]``, by default in DEBUG and test runs."""
    chosen = settings().reraise
    return (django_settings.DEBUG or in_test_run()) if chosen is None else chosen


def events_alias() -> str:
    """Return the alias of the business facts' database."""
    return settings().events_database


def sink_paths() -> tuple[str, ...]:
    """Return the dotted paths of all sinks: those of ``QAPROD["SINKS"]``, and of adapters that are on."""
    # Somebody may have listed one that its own key switches on.
    return tuple(dict.fromkeys((*settings().sinks, *adapter_paths())))


def adapter_paths() -> tuple[str, ...]:
    """Return the dotted paths of the sinks of adapters that are on."""
    return tuple(path for key, path in _ADAPTERS.items() if getattr(settings(), key) is not None)


def telemetry_alias() -> str:
    """Return the alias of the telemetry's database.

    ``QAPROD["DATABASE"]`` if it is set; on SQLite a file of its own beside the events' database
    (see ``routers``); else the events' database itself.
    """
    chosen = settings().database
    if chosen:
        return chosen
    if SQLITE_TELEMETRY_ALIAS in django_settings.DATABASES:
        return SQLITE_TELEMETRY_ALIAS
    return events_alias()


def _given() -> Mapping[str, object]:
    given = getattr(django_settings, "QAPROD", {})
    return given if isinstance(given, Mapping) else {}


def _problems() -> Iterator[Problem]:
    raw = getattr(django_settings, "QAPROD", {})
    if not isinstance(raw, Mapping):
        yield Problem(key="QAPROD", unknown=False, expected="a dict")
        return
    for key, value in raw.items():
        if not _is_known(key):
            yield Problem(key=str(key), unknown=True, expected="")
        elif not fits(value, types_of_keys()[key.lower()]):
            yield Problem(key=key, unknown=False, expected=describe(types_of_keys()[key.lower()]))


def _is_known(key: object) -> bool:
    return isinstance(key, str) and key.isupper() and key.lower() in types_of_keys()


def fits(value: object, kind: Any) -> bool:
    """Return whether a value is of the type that a setting is annotated with."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(isinstance(item, arguments[0]) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            fits(key, arguments[0]) and fits(item, arguments[1]) for key, item in value.items()
        )
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return isinstance(value, kind)


def _coerce(value: Any, kind: Any) -> Any:
    return tuple(value) if typing.get_origin(kind) is tuple else value


def describe(kind: Any) -> str:
    """Return in words what is of the type that a setting is annotated with."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(repr(argument) for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments)
    if origin is tuple:
        return f"a list or tuple of {arguments[0].__name__}"
    if origin is not None:
        return f"a dict of {arguments[0].__name__} to {arguments[1].__name__}"
    if kind is int:
        return "a whole number, zero or more"
    return "None" if kind is type(None) else f"a {kind.__name__}"


@cache
def types_of_keys() -> dict[str, Any]:
    """Return the type of each key, in lower case."""
    # Types and no strings: this module has no ``from __future__ import annotations``.
    return dict(Settings.__annotations__)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in {"QAPROD", "DATABASES"}:
        settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="qaprod.conf")
