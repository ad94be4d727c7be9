"""Numbers and spans of time, as people read them at three in the morning.

In the language that is active, as all words of alerts: where they are kept or sent, it is the site's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import pairwise

from django.utils.formats import get_format
from django.utils.translation import get_language, gettext_noop, ngettext, pgettext
from django.utils.translation import gettext as _

from .. import metrics, registry
from ..specs import Measure

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
#: In what lengths of time are said, by their seconds; the largest first.
UNITS = (
    (86400, gettext_noop("%(count)s d")),
    (3600, gettext_noop("%(count)s h")),
    (60, gettext_noop("%(count)s min")),
    (1, gettext_noop("%(count)s s")),
)


def span(seconds: float) -> str:
    """Return a length of time by its two largest units: ``2 h 10 min``, ``45 s``, ``3 d``."""
    left = max(round(seconds), 0)
    # To what the second unit counts, so that nothing reads as 59 min 60 s.
    for (size, _unit), (lesser, _lesser_unit) in pairwise(UNITS):
        if left >= size:
            left = round(left / lesser) * lesser
            break
    parts: list[str] = []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(_(unit) % {"count": count})
    return " ".join(parts) or _("%(count)s s") % {"count": 0}


def lately(seconds: float) -> str:
    """Return a length of time as it is said after "in the last": ``hour``, not ``1 h``; ``5 min``."""
    match round(seconds):
        case 60:
            return pgettext("in the last", "minute")
        case 3600:
            return pgettext("in the last", "hour")
        case 86400:
            return pgettext("in the last", "day")
        case _:
            return span(seconds)


def number(value: float) -> str:
    """Return a number with as many digits as say something: ``12``, ``1,234``, ``3.4``, ``0.052``."""
    if not math.isfinite(value):
        return _("a lot") if value > 0 else _("nothing")
    size = abs(value)
    if size >= 100 or value == round(value):
        return _separated(f"{value:,.0f}")
    return _plain(value, 1 if size >= 1 else _small(size))


def share(value: float) -> str:
    """Return a share as a percentage: ``30%``, ``3.4%``, ``0.02%``; ``99.95%`` where little is lacking."""
    percent = value * 100
    if percent <= 0:
        return "0%"
    # What is next to nothing, and what is next to all, are told apart from it.
    lacking = 100 - percent
    return f"{_plain(percent, 1 if percent >= 1 and not 0 < lacking < 1 else _small(min(percent, lacking)))}%"


def size(value: float) -> str:
    """Return a number of bytes in its largest binary unit: ``1.2 GiB``."""
    for unit in _BYTES[:-1]:
        if abs(value) < 1024:
            return f"{number(value)} {unit}"
        value /= 1024
    return f"{number(value)} {_BYTES[-1]}"


def reading(value: float, measure: Measure) -> str:
    """Return what was read of a gauge, in its unit (UCUM) where that is a share, bytes or seconds."""
    declared = next((known.unit for known in registry.gauges() if known.name == measure.name), "")
    unit = metrics.UNITS.get(measure.name, declared) if measure.kind == "gauge" else ""
    if unit == "s" and value < 60:
        return _("%(count)s s") % {"count": number(value)}
    return _IN_UNITS.get(unit if value > 0 else "", number)(value)


def listed(names: Iterable[str], most: int = 3) -> str:
    """Return names in a row, and how many more there are: ``a, b, c and 4 more``."""
    known = list(names)
    said, left = ", ".join(known[:most]), len(known) - most
    if left <= 0:
        return said
    more = ngettext("%(names)s and %(number)s more", "%(names)s and %(number)s more", left)
    return more % {"names": said, "number": left}


def _small(size: float) -> int:
    """Return how many decimals show two digits of what is less than one."""
    # A hair above: what is lacking of 100 is seldom exact.
    return min(1 - math.floor(math.log10(size * (1 + 1e-9))), 9)


def _plain(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return _separated(text.rstrip("0").removesuffix(".") if "." in text else text)


def _separated(text: str) -> str:
    """Return a number with the separators of the language: ``1,234`` is no thousand everywhere."""
    # Not by number_format(), which takes longer: a back-test says a hundred thousand numbers.
    separators = _separators(get_language())
    return text.translate(separators) if separators else text


@cache
def _separators(language: str | None) -> dict[int, str]:
    point, comma = (get_format(f"{name}_SEPARATOR", language) for name in ("DECIMAL", "THOUSAND"))
    return {} if (point, comma) == (".", ",") else {ord("."): point, ord(","): comma}


_IN_UNITS: Mapping[str, Callable[[float], str]] = {
    "1": share, "%": lambda value: share(value / 100), "By": size, "s": span,
}  # fmt: skip
