"""Proxies under which the admin lists pages that are computed, each with a view permission of its own."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .events import Event
from .numbers import Series


class GaugePage(Series):
    """The gauges: what was read of each."""

    class Meta:
        proxy = True
        verbose_name = _("gauge")
        verbose_name_plural = _("gauges")
        default_permissions = ("view",)


class JourneyPage(Event):
    """The funnels, conversions and times of the declared journeys."""

    class Meta:
        proxy = True
        verbose_name = _("journey")
        verbose_name_plural = _("journeys")
        default_permissions = ("view",)


class RequestPage(Series):
    """The requests by route."""

    class Meta:
        proxy = True
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        default_permissions = ("view",)
