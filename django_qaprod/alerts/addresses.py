"""Addresses in messages: absolute, by ``QAPROD["BASE_URL"]``. Whatever has none gets an empty text.

No request is at hand where a message is made, and the host's URLconf may be broken just then: that must not
cost the message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.urls import NoReverseMatch, get_script_prefix, reverse

from ..conf import settings
from ..models import Alert, Failure
from ..pipeline.guard import guarded
from . import tokens

#: The namespace of ``django_qaprod.urls``.
PUBLIC = "qaprod_public"


def look(alert: Alert) -> str:
    """Return where an alert is shown in the admin."""
    return _in_admin(Alert, "detail", alert.pk)


def look_at_all() -> str:
    """Return where the alerts are listed in the admin."""
    return _in_admin(Alert, "changelist")


def failure(found: Failure) -> str:
    """Return where a failure is shown in the admin."""
    return _in_admin(Failure, "change", found.pk)


def act(message: str, channel: str) -> str:
    """Return where who was told by a channel may act on the alerts of a message, by id, without a login."""
    if not settings().base_url:
        return ""
    return _reversed(f"{PUBLIC}:alerts", tokens.make(message, channel)) or ""


def is_address(text: str) -> bool:
    """Whether a text may be made a link: what a browser does with others is not ours to try."""
    return text.startswith(("https://", "http://"))


def _in_admin(model: type[Any], view: str, *args: object) -> str:
    if not settings().base_url or not apps.is_installed("django.contrib.admin"):
        return ""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}"
    return next((found for site in _sites(model) if (found := _reversed(name, *args, site=site))), "")


def _sites(model: type[Any]) -> Iterator[str]:
    """Return the names of the admin sites that show a model, the usual one first."""
    from django.contrib.admin.sites import all_sites

    names = sorted(site.name for site in all_sites if site.is_registered(model))
    return iter(sorted(names, key=lambda name: name != "admin"))


@guarded("alerts.links")
def _reversed(name: str, *args: object, site: str = "") -> str:
    try:
        path = reverse(name, args=args, current_app=site or None)
    except NoReverseMatch:
        return ""
    base = settings().base_url.rstrip("/")
    # A base with a path says where the site is mounted; one without leaves it to Django.
    prefix = get_script_prefix() if urlsplit(base).path else "/"
    return f"{base}/{path.removeprefix(prefix).lstrip('/')}"
