"""What our templates need to show numbers, times and hostile text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django import template
from django.template.context import Context
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..dashboard import words

if TYPE_CHECKING:
    from ..dashboard.units import Kind

# Before a capital, and behind what joins words.
_SEAMS = r"(?<=[a-z])(?=[A-Z])|(?<=[._/:])(?=[^\W_])"
_SEAM = SafeString("<wbr>")
# Characters that fit beside the other columns of the narrowest list.
_LONG = 16

register = template.Library()

register.filter("visible", words.visible)
register.filter("cut", words.cut)
register.filter("number", words.number)
register.filter("percent", words.percent)
register.filter("seconds", words.seconds)


# What draws and measures is imported by the first page: lists of the admin import this at each start.
@register.filter
def written(value: float | None, kind: Kind) -> str:
    """Return a value of a gauge with its unit."""
    from ..dashboard import units

    return units.written(value, kind)


@register.filter
def ago(when: datetime | None) -> str | SafeString:
    """Return how long ago something was, with the exact time as its title."""
    if when is None:
        return words.ago(None)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', when.isoformat(), exactly(when), words.ago(when)
    )


@register.filter
def seamed(text: str) -> SafeString:
    """Return names and paths, of which long ones say where a line may break: where a word of theirs ends."""
    runs = (re.split(_SEAMS, run) if len(run) > _LONG else [run] for run in text.split(" "))
    return format_html_join(" ", "{}", ((format_html_join(_SEAM, "{}", zip(run)),) for run in runs))


@register.filter
def exactly(when: datetime | None) -> str:
    """Return a time to the second, in the reader's time zone."""
    if when is None:
        return words.NOTHING
    local = words.local(when)
    return f"{date_format(local, 'DATE_FORMAT')} {local:%H:%M:%S}"


@register.simple_tag
def sparkline(values: Sequence[float], title: str = "") -> SafeString:
    """Draw values as small columns."""
    from ..dashboard import svg

    return svg.sparkline(values, title=title)


@register.simple_tag
def trace(values: Sequence[float | None], title: str = "") -> SafeString:
    """Draw values as a small line."""
    from ..dashboard import svg

    return svg.trace(values, title=title)


@register.simple_tag
def bar(fraction: float | None, title: str = "", name: str = "") -> SafeString:
    """Draw a fraction as a bar."""
    from ..dashboard import svg

    return svg.bar(fraction, title=title, name=name)


@register.simple_tag
def change(now: float, before: float) -> str:
    """Return how a number compares with an earlier one."""
    return words.change(now, before)


@register.simple_tag(takes_context=True)
def nonce(context: Context) -> SafeString | str:
    """Return the nonce attribute for a script or style sheet, where the host's policy uses nonces."""
    # Asking for the nonce is what puts it into the header, so hosts without the context processor see none.
    return format_html(' nonce="{}"', context["csp_nonce"]) if "csp_nonce" in context else ""
