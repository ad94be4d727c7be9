"""A failure's priority, in words."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import Failure
from . import words


@dataclass(frozen=True, slots=True)
class Part:
    """Some points of a priority and the reason for them."""

    points: float
    reason: str

    @property
    def signed(self) -> str:
        """The points with their sign."""
        return f"{words.MINUS if self.points < 0 else '+'}{words.number(abs(self.points))}"


def parts(failure: Failure) -> list[Part]:
    """Return what a failure's priority is made of, without the parts that do not count."""
    stored = failure.priority_parts if isinstance(failure.priority_parts, dict) else {}
    return [
        Part(float(points), _reason(str(name), failure))
        for name, points in stored.items()
        if isinstance(points, (int, float)) and points
    ]


def explained(failure: Failure) -> str:
    """Return the parts on one line."""
    return ", ".join(f"{part.signed} {part.reason}" for part in parts(failure))


def _reason(name: str, failure: Failure) -> str:
    match name:
        case "kind":
            return _("its kind is “%(kind)s”") % {"kind": failure.get_kind_display()}
        case "severity":
            return _("its severity is “%(severity)s”") % {"severity": failure.get_severity_display()}
        case "journey":
            return _("a critical view") if failure.critical else _("it stands in the way of a journey")
        case "people":
            met = max(failure.people, failure.subjects)
            return ngettext("%(n)s person or subject met it", "%(n)s people or subjects met it", met) % {
                "n": words.number(met)
            }
        case "rate":
            return _("%(rate)s in the last hour") % {"rate": words.number(failure.rate)}
        case "recency":
            return _("last seen %(ago)s") % {"ago": words.ago(failure.last_seen)}
    return words.cut(name, 40)
