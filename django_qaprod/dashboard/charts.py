"""Charts over time: the numbers for uPlot, and the same as SVG and table for whoever has no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .. import clock
from ..models import Deploy
from ..text import JSONValue
from . import svg
from .units import Kind
from .words import cut

#: Marks of flags on a chart: who switches them all day would not see the lines any more.
MOST_FLAGS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a chart; ``colour`` names a CSS class ``qaprod-<colour>`` and a variable of the same name."""

    label: str
    values: Sequence[float | None]
    colour: str = "main"
    filled: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A vertical mark: a deploy, or a ``flag`` that was changed."""

    at: int
    label: str
    flag: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over the same times. ``key`` is unique on its page.

    What is ``counted`` comes in whole numbers, and zero is nothing; what is read of a gauge may be any, and
    zero a reading like others. ``band`` names the lines, from zero, between which it is filled.
    """

    key: str
    title: str
    starts: Sequence[datetime]
    lines: Sequence[Line]
    marks: Sequence[Mark] = field(default_factory=tuple)
    unit: Kind = "count"
    counted: bool = True
    band: tuple[int, int] | None = None

    @property
    def data_id(self) -> str:
        """The id of the script element that holds ``data``."""
        return f"{self.key}-data"

    @property
    def data(self) -> dict[str, JSONValue]:
        """What ``charts.js`` draws."""
        return {
            "times": [*self._times()],
            "unit": self.unit,
            "whole": self.counted and self.unit == "count",
            "band": [*self.band] if self.band is not None else None,
            "lines": [
                {
                    "label": line.label,
                    "values": [*line.values],
                    "colour": line.colour,
                    "filled": line.filled,
                    "dashed": line.dashed,
                }
                for line in self.lines
            ],
            "marks": [
                {"at": at, "label": mark.label} for at, mark in zip(self._marked(), self.marks, strict=True)
            ],
        }

    @property
    def marked(self) -> list[str]:
        """What the marks are, for the legend."""
        kinds = ((False, _("deploy")), (True, _("flag changed")))
        return [word for flag, word in kinds if any(mark.flag is flag for mark in self.marks)]

    @property
    def picture(self) -> SafeString:
        """The chart as SVG."""
        return svg.lines(
            self._times(),
            [(f"qaprod-{line.colour}", line.values) for line in self.lines],
            self._marked(),
            title=self.title,
        )

    @property
    def rows(self) -> list[tuple[datetime, list[float | None]]]:
        """The chart as a table, without the steps in which nothing happened."""
        return [
            (start, values)
            for start, *values in zip(self.starts, *(line.values for line in self.lines), strict=True)
            if self._says_something(values)
        ]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(self._says_something(line.values) for line in self.lines)

    def _says_something(self, values: Iterable[float | None]) -> bool:
        return any(values) if self.counted else any(value is not None for value in values)

    def _times(self) -> list[int]:
        return [int(clock.epoch(start)) for start in self.starts]

    def _marked(self) -> list[int]:
        # The axis ends where the last step starts; what goes live during it is not to wait for the next.
        last = max(self._times(), default=0)
        return [min(mark.at, last) for mark in self.marks]


def marks(deploys: Iterable[Deploy]) -> list[Mark]:
    """Return a mark for each deploy, and each of the last flags that were changed; they come by time."""
    known = list(deploys)
    left_out = max(sum(one.flag for one in known) - MOST_FLAGS, 0)
    return [
        Mark(at=int(clock.epoch(one.at)), label=_label(one), flag=one.flag)
        for one in known
        if not one.flag or (left_out := left_out - 1) < 0
    ]


def _label(deploy: Deploy) -> str:
    name = cut(deploy.release, 24)
    return _("flag %(name)s") % {"name": name} if deploy.flag else name
