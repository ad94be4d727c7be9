"""System checks of who is told: channels, routes, the last resort, the addresses in messages.

None says what stands in a channel's settings: it may be secret. None asks anybody.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import NamedTuple

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names
from django.utils.module_loading import import_string

from .. import registry
from ..conf import settings
from ..exceptions import ChannelError
from . import channels, rule_checks, safe_http
from .channels import configured, masking

Messages = Iterator[CheckMessage]


class _Given(NamedTuple):
    """A channel as it stands in the settings: how it is called there, and its options."""

    words: str
    name: str
    options: Mapping[str, object]


def check() -> Messages:
    """Yield what keeps somebody from being told."""
    for given in _given():
        if wrong := list(_options(given)):
            yield from wrong
        else:
            yield from _parts(given)
    if not settings().notifications_per_hour:
        yield Warning(
            "QAPROD['NOTIFICATIONS_PER_HOUR'] is 0: no message is ever sent.",
            hint="Leave it out, or let 1 be the least: that one tells of all that waits.",
            id="qaprod.W032",
        )
    yield from _fallbacks()
    yield from _names()
    yield from rule_checks.check()
    yield from _addresses()


def check_deployment() -> Messages:
    """Yield what matters in production alone."""
    if not channels.names():
        yield Warning(
            "There is no channel, and nobody in ADMINS: rules are judged, and nobody is told.",
            hint="Set QAPROD['CHANNELS'], {'mail': {'email': ['on-call@example.org']}} for instance.",
            id="qaprod.W027",
        )
    if settings().last_resort is None:
        yield Warning(
            "QAPROD['LAST_RESORT'] is not set: when the database is dead, no rule fires and nobody is told.",
            hint="Give it the options of a channel that does not depend on the database, "
            "{'email': ['on-call@example.org']} for instance.",
            id="qaprod.W029",
        )
    if not settings().base_url and not settings().channels and channels.names():
        yield _without_base()
    for given in _given():
        if configured.kind(given.options) == "apprise" and find_spec("apprise") is not None:
            yield from _understood(given)


def _given() -> Iterator[_Given]:
    for name, options in settings().channels.items():
        yield _Given(f"QAPROD['CHANNELS'][{name!r}]", name, options)
    last = settings().last_resort
    if last is not None:
        yield _Given("QAPROD['LAST_RESORT']", configured.LAST_RESORT, last)


def _options(given: _Given) -> Messages:
    for wrong in configured.problems(given.name, given.options):
        if wrong.unknown:
            yield Error(
                f"{given.words} has no key {wrong.key!r}; it is ignored.",
                hint=f"It may have {wrong.expected}.",
                id="qaprod.E027",
            )
        else:
            key = f"[{wrong.key!r}]" if wrong.key else ""
            yield Error(
                f"{given.words}{key} has a wrong value, so nothing is sent there.",
                hint=f"It should be {wrong.expected}.",
                id="qaprod.E028",
            )


def _parts(given: _Given) -> Messages:
    """Yield what is wrong with a channel whose options are of the right types."""
    match configured.kind(given.options):
        case "webhook":
            yield from _webhook(given)
        case "email":
            yield from _mailer(given)
        case "apprise" if find_spec("apprise") is None:
            yield Error(
                f"{given.words} needs Apprise, which is not installed: nothing is sent there.",
                hint='Install it: pip install "django-qaprod[apprise]".',
                id="qaprod.E031",
            )
        case "class":
            yield from _class(given)


def _webhook(given: _Given) -> Messages:
    try:
        safe_http.parse(str(given.options["webhook"]))
    except ChannelError as error:
        yield Error(f"{given.words}['webhook']: {error}", hint=_AN_ADDRESS, id="qaprod.E032")
    if "secret" not in given.options:
        yield Warning(
            f"{given.words} has no secret: whoever receives it cannot be sure who sent it.",
            hint="Give both sides a 'secret'; what is sent is signed as in Standard Webhooks.",
            id="qaprod.W028",
        )


def _mailer(given: _Given) -> Messages:
    known = getattr(django_settings, "MAILERS", {})
    if (alias := given.options.get("mailer")) and alias not in known:
        yield Error(
            f"{given.words}['mailer'] is {alias!r}, which is not in MAILERS: nothing is sent there.",
            hint=f"{_one_of(str(alias), known)} MAILERS came with Django 6.1.",
            id="qaprod.E033",
        )


def _class(given: _Given) -> Messages:
    try:
        made = import_string(str(given.options["class"]))
    except Exception as error:  # noqa: BLE001 - whatever that module raises is what there is to say
        words = masking.mask(f"{type(error).__name__}: {error}", configured.secrets(given.options))
        yield Error(
            f"{given.words}['class'] cannot be imported ({words}), so nothing is sent there.",
            hint="Correct the dotted path, or install what it needs.",
            id="qaprod.E031",
        )
    else:
        if not callable(getattr(made, "send", None)):
            yield Error(
                f"{given.words}['class'] is no channel, so nothing is sent there.",
                hint="Name a class that is made of a name and its options, and has send(message).",
                id="qaprod.E031",
            )


def _understood(given: _Given) -> Messages:
    from .channels.apprise import kind, understood

    urls = given.options["apprise"]
    for url in (urls,) if isinstance(urls, str) else urls if isinstance(urls, (list, tuple)) else ():
        if not understood(str(url)):
            yield Error(
                f"{given.words}: Apprise does not understand an address of the kind {kind(str(url))!r}.",
                hint="Its documentation says for each service what an address looks like.",
                id="qaprod.E032",
            )


def _fallbacks() -> Messages:
    known = settings().channels
    for name in known:
        words, fallback = f"QAPROD['CHANNELS'][{name!r}]['fallback']", channels.options(name).fallback
        if fallback and fallback not in known:
            yield Error(
                f"{words} is {fallback!r}, which is no channel: nothing stands in for {name!r}.",
                hint=_one_of(fallback, known),
                id="qaprod.E029",
            )
        elif channels.options(list(channels.chain(name))[-1]).fallback == name:
            yield Error(
                f"{words} leads back to {name!r} in the end.",
                hint="Let the last of them have no fallback.",
                id="qaprod.E029",
            )


def _names() -> Messages:
    known = channels.names()
    named = [(f"The route {route.name!r}", (*route.to, *route.escalate_to)) for route in registry.routes()]
    named += [(f"The rule {rule.name!r}", rule.to) for rule in registry.rules()]
    for words, to in named:
        for name in dict.fromkeys(to):
            if name not in known:
                yield Error(
                    f"{words} names the channel {name!r}, which does not exist: nobody is told by it.",
                    hint=_one_of(name, known) if known else _A_CHANNEL,
                    id="qaprod.E030",
                )


def _addresses() -> Messages:
    base, heartbeat = settings().base_url, settings().heartbeat_url
    if base and _is_no_address(base):
        yield Warning(
            "QAPROD['BASE_URL'] is no address: no message has a link that works.",
            hint=_AN_ADDRESS,
            id="qaprod.W026",
        )
    elif not base and settings().channels:
        yield _without_base()
    if heartbeat and (problem := _is_no_address(heartbeat)):
        yield Error(f"QAPROD['HEARTBEAT_URL']: {problem}", hint=_AN_ADDRESS, id="qaprod.E032")


def _without_base() -> CheckMessage:
    return Warning(
        "QAPROD['BASE_URL'] is not set: messages have no links, to look or to act.",
        hint="Set it to where the site is, as https://jobs.example.org: nothing else can know.",
        id="qaprod.W026",
    )


_A_CHANNEL = (
    "There is none. Set QAPROD['CHANNELS'], {'mail': {'email': ['on-call@example.org']}} for instance."
)
_AN_ADDRESS = "It begins with https:// or http://, has a host, and no user or password."


def _is_no_address(url: str) -> str:
    try:
        safe_http.parse(url)
    except ChannelError as error:
        return str(error)
    return ""


def _one_of(name: str, known: Iterable[str]) -> str:
    known = list(known)
    if close := difflib.get_close_matches(name, known, n=1):
        return f"Did you mean {close[0]!r}?"
    return f"There are: {', '.join(map(repr, known)) or 'none'}."
