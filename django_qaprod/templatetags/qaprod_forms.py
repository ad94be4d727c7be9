"""What a host's form templates may say about the form being served whatever goes wrong."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils.crypto import salted_hmac
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..forms.confirmed import MAX_HOURS
from ..pipeline import guard
from .qaprod import nonce

register = template.Library()

_SALT = "django_qaprod.form_guard"


@register.simple_tag(takes_context=True)
def qaprod_notice(context: Context) -> Any:
    """Show here what the visitor is told when something is missing; nothing when all is well."""
    return context.get("qaprod_notice", "")


@register.simple_tag(takes_context=True)
def qaprod_form_guard(context: Context, *, hours: float = 24, owner: object = "") -> SafeString | str:
    """Have the visitor's browser keep what is typed until the server has confirmed it.

    Inside a form it guards that form, elsewhere all of the page that are sent by POST. A draft is given back
    for ``hours`` after the last key, seven days at most, and only to the ``owner`` (a user's key, for
    instance) with whom it was made.
    """
    try:
        address = static("qaprod/form-guard.js")
    except Exception as error:  # noqa: BLE001 - a manifest without it: the form is worth more than its guard
        guard.caught("forms", error)
        return ""
    return format_html(
        '<script src="{}" defer{} data-hours="{}" data-owner="{}" data-given="{}" data-discard="{}"'
        ' data-discarded="{}"></script>',
        address,
        nonce(context),
        # As JavaScript reads numbers, whatever the language of the page.
        str(min(hours, MAX_HOURS)),
        salted_hmac(_SALT, str(owner), algorithm="sha256").hexdigest()[:16]
        if owner not in ("", None)
        else "",
        _("What you typed here before has been filled in again. Passwords and files have to be given anew."),
        _("Discard what I typed"),
        _("What you had typed has been discarded."),
    )
