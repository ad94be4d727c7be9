"""What is written and has no effect: in ``QAPROD``, and where a declaration is named."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error
from django.urls import get_resolver
from django.utils.module_loading import import_string

from .. import conf, registry
from ..pipeline import guard, scrub
from ..store import retention

Messages = Iterator[CheckMessage]

# The keys that hold the options of an adapter: where it sends, and how one of its options is written.
_ADAPTERS = {
    "STATSD": ("StatsD", "{'HOST': 'localhost'}"),
    "OPENTELEMETRY": ("OpenTelemetry", "{'TRACES': False}"),
    "SENTRY": ("Sentry", "{'DSN': 'https://<key>@<host>/<number>'}"),
}


def check() -> Messages:
    """Yield what is wrong, also while everything is switched off."""
    yield from _keys()
    yield from _adapters()
    yield from _aliases()
    yield from _sinks()
    yield from _fingerprint()
    yield from _patterns()
    yield from _retention()
    yield from _journeys()


def _keys() -> Messages:
    known = [key.upper() for key in conf.types_of_keys()]
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
    from .. import options

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


def _wrong(name: str, default: object, value: object, expected: str, *, number: str) -> Error:
    """Return the error of what is of another type than its default, or of that type and still wrong."""
    wrong = "has a wrong value" if type(value) is type(default) else "is of the wrong type"
    return Error(
        f"{name} {wrong}; the default is used.", hint=f"It should be {expected}.", id=f"qaprod.{number}"
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
