"""Charts over time: the numbers for uPlot, and the same as SVG and table for whoever has no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from django.utils.safestring import SafeString

from .. import clock
from ..models import Deploy
from ..text import JSONValue
from . import svg
from .words import cut

#: How values are written: as counts or as seconds.
Unit = Literal["count", "seconds"]


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
    """A vertical mark: a deploy."""

    at: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over the same times. ``key`` is unique on its page."""

    key: str
    title: str
    starts: Sequence[datetime]
    lines: Sequence[Line]
    marks: Sequence[Mark] = field(default_factory=tuple)
    unit: Unit = "count"

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
            if any(values)
        ]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(any(line.values) for line in self.lines)

    def _times(self) -> list[int]:
        return [int(clock.epoch(start)) for start in self.starts]

    def _marked(self) -> list[int]:
        # The axis ends where the last step starts; what goes live during it is not to wait for the next.
        last = max(self._times(), default=0)
        return [min(mark.at, last) for mark in self.marks]


def marks(deploys: Iterable[Deploy]) -> list[Mark]:
    """Return a mark for each deploy."""
    return [Mark(at=int(clock.epoch(deploy.at)), label=cut(deploy.release, 24)) for deploy in deploys]
