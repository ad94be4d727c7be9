"""Units of gauges (UCUM, https://ucum.org/ucum) as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from django.utils.translation import gettext as _

from . import words

#: How a value is written: as a number, as seconds, as bytes, as a share.
Kind = Literal["count", "seconds", "bytes", "share"]


class Unit(NamedTuple):
    """How values of a unit are written once they are multiplied.

    ``per`` stands behind each value: ``/s``. ``noun``, what is counted or a unit that is not known here,
    stands beside the values, as in "unit: message": behind a number it would be wrong for most numbers, and
    what language it is in, only its author knows.
    """

    kind: Kind
    factor: float = 1.0
    per: str = ""
    noun: str = ""

    def written(self, value: float | None) -> str:
        """Return a value in this unit, without the noun: ``1.2 GiB/s``."""
        if value is None:
            return words.NOTHING
        return f"{written(value * self.factor, self.kind)}{self.per}"

    def titled(self, title: str) -> str:
        """Return the title of a chart, whose values are without both: ``Readings (message)``."""
        said = self.noun or self.per
        return f"{title} ({said})" if said else title


KNOWN: Mapping[str, Unit] = {
    "1": Unit("share"),
    "%": Unit("share", 0.01),
    "ns": Unit("seconds", 1e-9),
    "us": Unit("seconds", 1e-6),
    "ms": Unit("seconds", 1e-3),
    "s": Unit("seconds"),
    "min": Unit("seconds", 60.0),
    "h": Unit("seconds", 3600.0),
    "d": Unit("seconds", 86_400.0),
    "By": Unit("bytes"),
    "KiBy": Unit("bytes", 2.0**10),
    "MiBy": Unit("bytes", 2.0**20),
    "GiBy": Unit("bytes", 2.0**30),
    "kBy": Unit("bytes", 1e3),
    "MBy": Unit("bytes", 1e6),
    "GBy": Unit("bytes", 1e9),
}
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
# ``{file_descriptor}``
_WORDS = {ord("{"): None, ord("}"): None, ord("_"): " "}
_MAX_NOUN = 40
# Beyond these a number is written with its power of ten.
_LEAST, _MOST = 1e-4, 1e15


def of(ucum: str) -> Unit:
    """Return how values of a unit are written: ``{message}/s`` as numbers whose unit is ``message/s``."""
    if ucum in KNOWN:
        return KNOWN[ucum]
    base, slash, per = ucum.partition("/")
    if base in KNOWN and base != "1":
        return KNOWN[base]._replace(per=words.cut((slash + per).translate(_WORDS), _MAX_NOUN))
    return Unit("count", noun=words.cut(ucum.translate(_WORDS), _MAX_NOUN))


def written(value: float | None, kind: Kind) -> str:
    """Return a value, multiplied already, without its noun: ``1.2 GiB``, ``45%``, ``3 min 20 s``, ``12``."""
    if value is None:
        return words.NOTHING
    if value < 0:
        return f"{words.MINUS}{written(-value, kind)}"
    if value >= _MOST:
        return f"{value:.3g}"
    return {"seconds": words.seconds, "share": words.percent, "bytes": size, "count": amount}[kind](value)


def size(value: float) -> str:
    """Return a number of bytes in its largest binary unit (IEC 80000-13)."""
    power = 0
    while value >= 1023.5 and power < len(_BINARY) - 1:
        value /= 1024
        power += 1
    number = _short(value, 2) if power else words.rounded(value, 0)
    return _("%(number)s %(unit)s") % {"number": number, "unit": _BINARY[power]}


def amount(value: float) -> str:
    """Return a number with three digits that count at most, or as many as it has before its point."""
    if value and value < _LEAST:
        return f"{value:.3g}"
    return _short(value, 3)


def _short(value: float, digits: int) -> str:
    """Return a number with at most so many digits that count, and all before its point."""
    places = max(digits - 1 - math.floor(math.log10(value)), 0) if value else 0
    while places and round(value, places) == round(value, places - 1):
        places -= 1
    return words.rounded(value, places)
