"""Small charts drawn on the server: no script, no inline style, colours by CSS and ``currentColor``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .words import number

# As wide for fewer columns than a day's hours as for those, so that one may stand below another.
_WIDTH, _HEIGHT = 72, 24
_STEP, _GAP = 3, 1
# A chart's own units; CSS stretches it to the width there is.
_WIDE, _HIGH = 800, 160


def sparkline(values: Sequence[float], *, title: str = "") -> SafeString:
    """Return the values as columns, the highest as high as the picture; what is not zero can be seen."""
    top, wide = max(values, default=0), max(len(values) * _STEP, _WIDTH)
    # Whole pixels: what is drawn between them is a blur.
    edges = [position * wide // len(values) for position in range(len(values) + 1)] if values else []
    columns = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"/>',
        (
            (left, _HEIGHT - high, right - left - _GAP, high)
            for (left, right), high in zip(pairwise(edges), _heights(values, top), strict=True)
        ),
    )
    text = _("%(title)s: %(total)s, at most %(top)s") % {
        "title": title, "total": number(sum(values)), "top": number(top)
    }  # fmt: skip
    return format_html(
        '<svg class="qaprod-spark" role="img" viewBox="0 0 {} {}" width="{}" height="{}">'
        "<title>{}</title>"
        '<path class="qaprod-axis" d="M0 {}H{}"/>{}</svg>',
        wide, _HEIGHT, wide, _HEIGHT, text, _HEIGHT - 0.5, wide, columns,
    )  # fmt: skip


def trace(values: Sequence[float | None], *, title: str = "") -> SafeString:
    """Return the values as a small line over zero; where there is none it is broken."""
    low, top = _limits(values)
    # Within its edges a dot at the end can be seen.
    drawn = _path(values, low, top, wide=_WIDTH - 2, high=_HEIGHT)
    return format_html(
        '<svg class="qaprod-spark" role="img" viewBox="0 0 {} {}" width="{}" height="{}"><title>{}</title>'
        '<path class="qaprod-axis" d="M0 {}H{}"/><path class="qaprod-line" d="{}"/></svg>',
        _WIDTH, _HEIGHT, _WIDTH, _HEIGHT, title, _ground(low, top, _HEIGHT), _WIDTH, drawn,
    )  # fmt: skip


def bar(fraction: float | None, *, title: str = "", name: str = "") -> SafeString:
    """Return a horizontal bar that is filled to ``fraction``; ``name`` adds a CSS class."""
    filled = min(max(fraction or 0.0, 0.0), 1.0)
    return format_html(
        '<svg class="qaprod-bar {}" role="img" viewBox="0 0 100 10" preserveAspectRatio="none">'
        '<title>{}</title><rect class="qaprod-track" width="100" height="10"/>'
        '<rect class="qaprod-fill" width="{}" height="10"/></svg>',
        name, title, f"{filled * 100:.2f}",
    )  # fmt: skip


def lines(
    times: Sequence[int],
    rows: Sequence[tuple[str, Sequence[float | None]]],
    marks: Sequence[int] = (),
    *,
    title: str,
) -> SafeString:
    """Return lines over time, each a pair of CSS class and values, and vertical marks at some times.

    Zero is always in the picture.
    """
    low, top = _limits([value for _name, values in rows for value in values])
    drawn = format_html_join(
        "",
        '<path class="qaprod-line {}" d="{}"/>',
        ((name, _path(values, low, top, wide=_WIDE, high=_HIGH)) for name, values in rows),
    )
    span = (times[-1] - times[0]) if len(times) > 1 else 0
    ruled = format_html_join(
        "",
        '<path class="qaprod-mark" d="M{} 0V{}"/>',
        ((f"{(at - times[0]) / span * _WIDE:.1f}", _HIGH) for at in marks if span),
    )
    return format_html(
        '<svg class="qaprod-lines" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '<title>{}</title><path class="qaprod-axis" d="M0 {}H{}"/>{}{}</svg>',
        _WIDE, _HIGH, title, _ground(low, top, _HIGH), _WIDE, ruled, drawn,
    )  # fmt: skip


def _heights(values: Sequence[float], top: float) -> list[float]:
    return [max(round(value / top * (_HEIGHT - 2), 1), 2) if value else 0 for value in values]


def _limits(values: Sequence[float | None]) -> tuple[float, float]:
    """Return the lowest and the highest of the picture; zero is always in it."""
    known = [0.0, *(value for value in values if value is not None)]
    low, top = min(known), max(known)
    return low, top if low != top else 1.0


def _ground(low: float, top: float, high: int) -> str:
    """Return where zero is, but for the half of a line's width."""
    return f"{high - 0.5 + low / (top - low) * (high - 6):g}"


def _path(values: Sequence[float | None], low: float, top: float, *, wide: int, high: int) -> str:
    width = wide / max(len(values) - 1, 1)
    parts: list[str] = []
    pen = "M"
    for position, value in enumerate(values):
        if value is None:
            # What stands alone is a dot.
            parts += ["h1"] if pen == "L" and parts[-1].startswith("M") else []
            pen = "M"
            continue
        y = high - 2 - (value - low) / (top - low) * (high - 6)
        parts.append(f"{pen}{position * width:.1f} {y:.1f}")
        pen = "L"
    return "".join([*parts, "h1"] if pen == "L" and parts[-1].startswith("M") else parts)
