"""Numbers, times and hostile text as people read them."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext as _

from .. import clock
from ..models import Failure

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
_KEPT = "\n\t"
# Of fewer, how many times as many it is now says nothing.
_FEW = 10
_ON_ITS_WAY = timedelta(minutes=1)
# Joiners make emoji; they can neither reorder nor hide other text.
_JOINERS = "\u200c\u200d"


def visible(text: object) -> str:
    """Return ``text`` with every character that reorders, hides or controls replaced by its number.

    A right-to-left override makes ``gpj.exe`` read as ``exe.jpg``: it is shown as ``[U+202E]``.
    """
    value = str(text)
    if value.isascii() and value.isprintable():
        return value
    return "".join(f"[U+{ord(char):04X}]" if _disturbs(char) else char for char in value)


def _disturbs(char: str) -> bool:
    if char in _KEPT or char in _JOINERS:
        return False
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def cut(text: object, limit: int) -> str:
    """Return ``text`` visible, on one line and at most ``limit`` characters long."""
    line = " ".join(visible(str(text)[: limit * 4]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def number(value: float | None) -> str:
    """Return a count with the separators of the reader's language."""
    if value is None:
        return NOTHING
    return rounded(value, 0 if float(value).is_integer() else 1)


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage, with a decimal below ten."""
    if fraction is None:
        return NOTHING
    value = fraction * 100
    return _("%(number)s%%") % {"number": rounded(value, 0 if value == 0 or value >= 9.95 else 1)}


def seconds(value: float | None) -> str:
    """Return a stretch of time with its two largest units: ``230 ms``, ``1.2 s``, ``3 min 20 s``."""
    if value is None:
        return NOTHING
    if value < 0.9995:
        return _("%(number)s ms") % {"number": rounded(value * 1000, 0 if value >= 0.01 or not value else 1)}
    if value < 59.5:
        return _("%(number)s s") % {"number": rounded(value, 1 if value < 9.95 else 0)}
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    return _("%(days)d d %(hours)d h") % {"days": hours // 24, "hours": hours % 24}


def ago(when: datetime | None) -> str:
    """Return how long ago something was, in its largest unit."""
    if when is None:
        return _("never")
    if (clock.now() - when).total_seconds() < 60:
        return _("just now")
    return _("%(span)s ago") % {"span": timesince(when, clock.now(), depth=1)}


def local(when: datetime) -> datetime:
    """Return a time in the reader's time zone; one without a zone is local already."""
    return localtime(when) if is_aware(when) else when


def moment(when: datetime) -> str:
    """Return a time to the minute, in the reader's time zone."""
    return date_format(local(when), "SHORT_DATETIME_FORMAT")


def hour(when: datetime) -> str:
    """Return a time to the minute, in the reader's time zone; without its date where that is today's."""
    there = local(when)
    return date_format(there, "TIME_FORMAT") if there.date() == local(clock.now()).date() else moment(when)


def change(now: float, before: float) -> str:
    """Return how a number compares with an earlier one: ``+12%``, ``=``, ``none before``."""
    if not before:
        return _("none before") if now else ""
    ratio = (now - before) / before
    if abs(ratio) < 0.005:
        return "="
    if ratio >= 10 and before < _FEW:
        return _("%(number)s before") % {"number": number(before)}
    if ratio >= 10:
        return _("%(number)s times as many") % {"number": number(round(now / before))}
    return f"{'+' if ratio > 0 else MINUS}{percent(abs(ratio))}"


def rounded(value: float, places: int) -> str:
    """Return a number with that many decimals, as the reader's language writes it."""
    # ``number_format`` cuts off what it does not show.
    return number_format(round(value, places), decimal_pos=places, use_l10n=True, force_grouping=True)


def title(failure: Failure) -> str:
    """Return what broke, on one line: the error without its module, and its message."""
    error = failure.error_type.rpartition(".")[2]
    text = f"{error}: {failure.message}" if failure.message else error
    return cut(text, 120)


def unstored(met: datetime | None) -> str:
    """Return what is said of a failure that is not there, met at a time: its record takes some seconds."""
    if met is not None and clock.now() - met < _ON_ITS_WAY:
        return _("on its way")
    return _("not stored (any more)")


def state(failure: Failure) -> str:
    """Return a failure's state with its limits: ``silenced until …``, ``silenced up to 20 an hour``."""
    label = str(failure.get_state_display())
    if failure.state == failure.State.RESOLVED and failure.resolve_in_next:
        return _("resolved in the release after %(release)s") % {"release": cut(failure.resolved_release, 40)}
    if failure.state == failure.State.SILENCED and failure.silenced_until:
        until = moment(failure.silenced_until)
        return _("%(state)s until %(time)s") % {"state": label, "time": until}
    if failure.silenced_above and failure.state == failure.State.SILENCED:
        return _("%(state)s up to %(n)s an hour") % {"state": label, "n": number(failure.silenced_above)}
    if failure.silenced_above:
        return _("%(state)s: more than %(n)s an hour") % {"state": label, "n": number(failure.silenced_above)}
    return label


def link(address: str) -> str:
    """Return an address that may be followed; nothing for one that is of no page: ``javascript:`` is code."""
    return address if address.lower().startswith(("http://", "https://")) else ""
