from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """Write 38500 as 38,500."""
    return f"{number:,}"


@register.filter
def yesno_or_text(answer: object) -> object:
    """Write a boolean as people say it."""
    return {True: "Yes", False: "No"}.get(answer, answer) if isinstance(answer, bool) else answer
