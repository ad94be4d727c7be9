"""The system checks of the options: what contradicts itself, and what goes out in other words."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names

from ... import options
from .names import dotted, tag
from .sink import LEAST_PACKET, MOST_PACKET

#: Option, the least and the most that it may be.
_RANGES = (
    ("PORT", 1, 65_535),
    ("MAX_PACKET", LEAST_PACKET, MOST_PACKET),
    ("SAMPLES", 1, 10_000),
    ("MAX_AGE", 10, 86_400),
)


def check() -> Iterator[CheckMessage]:
    """Yield what is wrong with ``QAPROD["STATSD"]``, if it is set."""
    chosen = options.of(options.StatsD)
    if chosen is None:
        return
    yield from _place(chosen)
    yield from _numbers(chosen)
    yield from _tags(chosen)
    yield from _names(chosen)


def _place(chosen: options.StatsD) -> Iterator[CheckMessage]:
    if chosen.protocol == "unix" and not chosen.path:
        yield Error(
            "QAPROD['STATSD']: PROTOCOL is 'unix', but there is no PATH; nothing can be sent.",
            hint="Set PATH to the daemon's socket, '/var/run/datadog/dsd.socket' for instance.",
            id="qaprod.E016",
        )
    elif chosen.protocol != "unix" and chosen.path:
        yield Error(
            f"QAPROD['STATSD']: there is a PATH, but PROTOCOL is {chosen.protocol!r}; the PATH is ignored.",
            hint="Set PROTOCOL to 'unix', or leave PATH out.",
            id="qaprod.E016",
        )
    elif chosen.protocol != "unix" and ("/" in chosen.host or chosen.host.count(":") == 1):
        yield Error(
            f"QAPROD['STATSD']: HOST is {chosen.host!r}, which is more than a name; nothing can be sent.",
            hint="Write the name or the address alone into HOST, and the number into PORT.",
            id="qaprod.E016",
        )
    elif chosen.protocol != "unix" and not chosen.host:
        yield Error(
            "QAPROD['STATSD']: HOST is empty; nothing can be sent.",
            hint="Set HOST to where the daemon listens, or leave it out for '127.0.0.1'.",
            id="qaprod.E016",
        )


def _numbers(chosen: options.StatsD) -> Iterator[CheckMessage]:
    for key, least, most in _RANGES:
        value = getattr(chosen, key.lower())
        if not least <= value <= most:
            yield Error(
                f"QAPROD['STATSD'][{key!r}] is {value}, which cannot work.",
                hint=f"It should be between {least} and {most}.",
                id="qaprod.E017",
            )


def _tags(chosen: options.StatsD) -> Iterator[CheckMessage]:
    if chosen.tags and chosen.tag_style == "none":
        yield Warning(
            "QAPROD['STATSD']: there are TAGS, but TAG_STYLE is 'none'; they are not sent.",
            hint="Set TAG_STYLE to 'datadog' if the daemon knows tags; else put what matters into PREFIX.",
            id="qaprod.W016",
        )


def _names(chosen: options.StatsD) -> Iterator[CheckMessage]:
    written = [(chosen.prefix, dotted(chosen.prefix))]
    written += [(text, tag(text)) for pair in chosen.tags.items() for text in pair]
    for text, made in written:
        if text.strip(".") != made:
            yield Warning(
                f"QAPROD['STATSD']: {text!r} goes out as {made!r}.",
                hint="Use letters of ASCII, digits, '_', '-' and '.' in PREFIX and TAGS, and '/' in TAGS.",
                id="qaprod.W017",
            )
