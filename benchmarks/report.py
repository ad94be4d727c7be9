"""What was measured, as lines of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: What a plain view took, bare, where the budgets were written: only the ratios travel between machines.
REFERENCE_PLAIN = 99.0
#: What statsd, OpenTelemetry and Sentry as people assemble them added to a start there, in ms.
REFERENCE_ASSEMBLED_START = 207.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure: what the product adds to ``bare``, or costs by itself, beside its budget.

    ``noise`` is half the distance between the rounds' extremes. ``scales`` says that the budget is CPU time
    and is to be read in proportion to this machine's speed.
    """

    section: str
    what: str
    unit: str
    added: float
    bare: float | None = None
    noise: float | None = None
    least: float | None = None
    budget: float | None = None
    scales: bool = False
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def limit(self, speed: float) -> float | None:
        """Return the budget on this machine."""
        if self.budget is None:
            return None
        return self.budget * speed if self.scales else self.budget

    def verdict(self, speed: float) -> str:
        """Return whether the budget is kept: nothing without one, ``~`` if the noise forbids to say."""
        limit = self.limit(speed)
        if limit is None:
            return ""
        if self.noise is not None and abs(self.added - limit) < self.noise:
            return "~"
        return "pass" if self.added <= limit else "MISS"

    def data(self, speed: float) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {**asdict(self), "limit": self.limit(speed), "verdict": self.verdict(speed)}


def render(lines: Iterable[Line], speed: float) -> str:
    """Return the table."""
    heads = ("", "bare", "added", "±", "ratio", "the least", "budget", "here", "")
    rows = [heads]
    section = ""
    for line in lines:
        if line.section != section:
            section = line.section
            rows += [("",) * len(heads), (section, *("",) * (len(heads) - 1))]
        rows.append(_row(line, speed))
    return "\n".join(aligned(rows))


def _row(line: Line, speed: float) -> tuple[str, ...]:
    limit = line.limit(speed)
    ratio = (line.bare + line.added) / line.bare if line.bare else None
    return (
        f"  {line.what}",
        _number(line.bare),
        f"{_number(line.added)} {line.unit}",
        _number(line.noise),
        f"{ratio:.3f}" if ratio is not None else "",
        _number(line.least),
        _number(line.budget),
        _number(limit) if line.scales else "",
        " ".join(filter(None, (line.verdict(speed), line.note))),
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    first, last = 0, len(widths) - 1
    return [
        "  ".join(
            cell.ljust(width) if column in (first, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
