"""What ``QAPROD["CHANNELS"]`` and ``QAPROD["LAST_RESORT"]`` say, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple, cast

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from ...conf import settings
from ...exceptions import ChannelError
from . import masking
from .base import Channel

#: The channel that is there when none is configured, and somebody is in ``ADMINS``.
ADMINS = "admins"
#: Not among the channels: told when the database is dead.
LAST_RESORT = "last resort"

_COMMON = ("fallback", "per_hour")
_LONGEST_NAME = 100


class Options(NamedTuple):
    """What is asked of any channel: whose turn it is when it fails, and how many messages an hour at most."""

    fallback: str = ""
    per_hour: int | None = None


class Wrong(NamedTuple):
    """What is wrong with one key of a channel; ``unknown`` tells a stranger. Values may be secret."""

    channel: str
    key: str
    expected: str = ""
    unknown: bool = False


class _Kind(NamedTuple):
    """A kind of channel, known by a key of its own: its class, and what its keys hold."""

    path: str
    keys: Mapping[str, tuple[Callable[[object], bool], str]]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_full(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: object) -> bool:
    several = isinstance(value, (list, tuple)) and bool(value) and all(map(_is_full, value))
    return several or _is_full(value)


def _are_addresses(value: object) -> bool:
    return _are_texts(value) and all("@" in one for one in _listed(value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 60


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_TIME = (_is_time, "seconds, more than 0 and at most 60")

KINDS: Mapping[str, _Kind] = {
    "email": _Kind(
        "mail.Email",
        {
            "email": (_are_addresses, "an e-mail address, or a list of them"),
            "sender": (_is_text, "an e-mail address"),
            "mailer": (_is_text, "an alias of MAILERS"),
            "timeout": _TIME,
        },
    ),
    "webhook": _Kind(
        "webhook.Webhook",
        {
            "webhook": (_is_full, "an address that begins with https:// or http://"),
            "secret": (_are_texts, "a text, or a list of them"),
            "allow_private": (_is_flag, "True or False"),
            "timeout": _TIME,
        },
    ),
    "apprise": _Kind("apprise.Apprise", {"apprise": (_are_texts, "an Apprise URL, or a list of them")}),
    "class": _Kind(
        "",
        {
            "class": (_is_full, "the dotted path of a class"),
            "options": (_is_dict, "a dict of keyword arguments"),
        },
    ),
}
_OF_ANY: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "fallback": (_is_text, "the name of another channel"),
    "per_hour": (_is_count, "a whole number, more than zero"),
}
_SECRET = ("webhook", "secret", "apprise", "options")
# Where one value may stand for a list of one.
_LISTS = frozenset({"email", "secret", "apprise"})


def given() -> Mapping[str, Mapping[str, object]]:
    """Return the channels as they are configured, by name; without any, mail to ``ADMINS`` if it is set."""
    channels = settings().channels
    if channels or not (addresses := admins()):
        return channels
    return {ADMINS: {"email": addresses}}


def admins() -> list[str]:
    """Return the addresses in ``ADMINS``: of pairs as Django wanted them before 6.0, too."""
    found = [
        one[1] if isinstance(one, (list, tuple)) and len(one) == 2 else one for one in django_settings.ADMINS
    ]
    return [str(one) for one in found if one]


def kind(options: Mapping[str, object]) -> str:
    """Return what kind of channel these options make, an empty text when none or several."""
    named = [known for known in KINDS if known in options]
    return named[0] if len(named) == 1 else ""


def problems(name: str, options: Mapping[str, object]) -> Iterator[Wrong]:
    """Yield what is wrong with the options of one channel. Imports and asks nothing."""
    if not name or len(name) > _LONGEST_NAME:
        yield Wrong(name, "", f"a name of 1 to {_LONGEST_NAME} characters")
    chosen = kind(options)
    if not chosen:
        yield Wrong(name, "", f"a dict with exactly one of the keys {', '.join(map(repr, KINDS))}")
        return
    known = {**KINDS[chosen].keys, **(_OF_ANY if name != LAST_RESORT else {})}
    for key, value in options.items():
        if key not in known:
            yield Wrong(name, str(key), ", ".join(map(repr, known)), unknown=True)
        elif not known[key][0](value):
            yield Wrong(name, str(key), known[key][1])


def common(options: Mapping[str, object]) -> Options:
    """Return what is asked of any channel; what is of the wrong type counts as left out."""
    right = {key: options[key] for key in _COMMON if key in options and _OF_ANY[key][0](options[key])}
    return Options(**cast("dict[str, Any]", right))


def make(name: str, options: Mapping[str, object]) -> Channel:
    """Return the channel that these options make.

    Raises ``ChannelError`` when they make none, without their values.
    """
    for wrong in problems(name, options):
        # A key too many does no harm, and is reported by the checks.
        if not wrong.unknown:
            of = f" under {wrong.key!r}" if wrong.key else ""
            raise ChannelError(f"Its settings are wrong{of}: there should be {wrong.expected}.")
    chosen = kind(options)
    arguments = {
        key: _listed(options[key]) if key in _LISTS else options[key]
        for key in KINDS[chosen].keys
        if key in options
    }
    if chosen == "class":
        return cast("Channel", import_string(str(options["class"]))(name, **_mapping(options.get("options"))))
    module, _, made = KINDS[chosen].path.partition(".")
    return cast("Channel", getattr(import_module(f"{__package__}.{module}"), made)(name, **arguments))


def prepare(options: Mapping[str, object]) -> None:
    """Import what a channel of these options needs of ours, if that is possible at all."""
    module = KINDS[chosen].path.partition(".")[0] if (chosen := kind(options)) else ""
    if module:
        with suppress(ImportError):
            import_module(f"{__package__}.{module}")


def secrets(options: Mapping[str, object]) -> set[str]:
    """Return what may be secret in a channel's options: all texts there, but those that say to whom."""
    texts = [text for key in _SECRET if key in options for text in _texts(options[key])]
    found = {secret for text in texts for secret in masking.of_url(text, host="apprise" in options)}
    return {secret for secret in found if len(secret) >= masking.LEAST}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _listed(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in cast("list[object]", value)]


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
