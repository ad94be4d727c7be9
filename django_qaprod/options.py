"""The options of adapters: what ``QAPROD["STATSD"]``, ``["OPENTELEMETRY"]`` and ``["SENTRY"]`` may hold.

Imported only by what is on: a class of options is made at each start of the host otherwise.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

from django.core.signals import setting_changed

from . import conf

Options = TypeVar("Options", "StatsD", "OpenTelemetry", "Sentry")

# What stands for an event's id in ``Sentry.event_url``, and what is meant to stand for something.
_EVENT_ID: Final = "{event_id}"
_EVENT_UUID: Final = "{event_uuid}"
_PLACEHOLDER: Final = re.compile(r"\{\w*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsD:
    """Where a StatsD daemon listens, and how it wants its names."""

    protocol: Literal["udp", "tcp", "unix"] = "udp"
    host: str = "127.0.0.1"
    port: int = 8125
    path: str = ""
    prefix: str = ""
    tag_style: Literal["none", "datadog"] = "none"
    tags: Mapping[str, str] = field(default_factory=dict)
    max_packet: int = 1432
    samples: int = 100
    max_age: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTelemetry:
    """Which signals go out; where to, the ``OTEL_*`` variables say."""

    traces: bool = True
    metrics: bool = True
    exemplars: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentry:
    """Where failures go, and how a failure's page finds them there. ``dsn`` is for a client of our own."""

    dsn: str = ""
    environment: str = ""
    event_url: str = ""
    fingerprint: bool = False
    scrub: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def url_of(self, event_id: str) -> str:
        """Return where Sentry shows an event, by its 32 digits; nothing unless ``event_url`` says so."""
        found = set(_PLACEHOLDER.findall(self.event_url))
        known = bool(found) and found <= {_EVENT_ID, _EVENT_UUID}
        if not known or not self.event_url.startswith(("https://", "http://")):
            return ""
        event = UUID(event_id)
        return self.event_url.replace(_EVENT_ID, event.hex).replace(_EVENT_UUID, str(event))


#: The key of ``QAPROD`` by the class of its options.
KEYS: Mapping[type, str] = {StatsD: "STATSD", OpenTelemetry: "OPENTELEMETRY", Sentry: "SENTRY"}


@cache
def of(kind: type[Options]) -> Options | None:
    """Return the options in force, ``None`` while the adapter is off; what is wrong is at its default."""
    given = getattr(conf.settings(), KEYS[kind].lower())
    if given is None:
        return None
    wrong = {problem.key for problem in _problems(kind, given)}
    return kind(**{key.lower(): value for key, value in given.items() if key not in wrong})


def problems() -> Iterator[tuple[str, conf.Problem]]:
    """Yield what is wrong in the options of adapters that are on, by the key of ``QAPROD``."""
    for kind, key in KEYS.items():
        for problem in _problems(kind, getattr(conf.settings(), key.lower()) or {}):
            yield key, problem


def names(kind: type) -> list[str]:
    """Return the options that a key of ``QAPROD`` may have."""
    return [spec.name.upper() for spec in fields(kind)]


def _problems(kind: type, given: Mapping[str, object]) -> Iterator[conf.Problem]:
    types = typing.get_type_hints(kind)
    for key, value in given.items():
        if not key.isupper() or key.lower() not in types:
            yield conf.Problem(key=key, unknown=True, expected="")
        elif not conf.fits(value, types[key.lower()]):
            yield conf.Problem(key=key, unknown=False, expected=conf.describe(types[key.lower()]))


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "QAPROD":
        of.cache_clear()


setting_changed.connect(_forget, dispatch_uid="qaprod.options")
