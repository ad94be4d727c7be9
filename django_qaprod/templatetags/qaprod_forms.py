"""What a host's form templates may say about the form being served whatever goes wrong."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

register = template.Library()


@register.simple_tag(takes_context=True)
def qaprod_notice(context: Context) -> Any:
    """Show here what the visitor is told when something is missing; nothing when all is well."""
    return context.get("qaprod_notice", "")
