"""Our pages in the host's admin, found by its autodiscovery; ``register`` puts them on another site."""

from __future__ import annotations

from django.contrib import admin

from ..models import (
    Alert,
    Breach,
    Channel,
    Deploy,
    Event,
    Failure,
    GaugePage,
    Health,
    JourneyPage,
    Notification,
    RequestPage,
    RescuedSubmission,
    Rule,
    Silence,
)
from .alerts import AlertAdmin
from .breaches import BreachAdmin
from .channels import ChannelAdmin
from .deploys import DeployAdmin
from .events import EventAdmin
from .failures import FailureAdmin
from .notifications import NotificationAdmin
from .pages import GaugePageAdmin, HealthAdmin, JourneyPageAdmin, RequestPageAdmin
from .rules import RuleAdmin
from .silences import SilenceAdmin
from .submissions import RescuedSubmissionAdmin

__all__ = ["register"]


def register(site: admin.AdminSite) -> None:
    """Register our pages on an admin site; what is registered there already is left alone."""
    pages = (
        (Alert, AlertAdmin),
        (Failure, FailureAdmin),
        (RescuedSubmission, RescuedSubmissionAdmin),
        (Breach, BreachAdmin),
        (JourneyPage, JourneyPageAdmin),
        (RequestPage, RequestPageAdmin),
        (GaugePage, GaugePageAdmin),
        (Event, EventAdmin),
        (Deploy, DeployAdmin),
        (Rule, RuleAdmin),
        (Silence, SilenceAdmin),
        (Channel, ChannelAdmin),
        (Notification, NotificationAdmin),
        (Health, HealthAdmin),
    )
    for model, page in pages:
        if not site.is_registered(model):
            site.register(model, page)


register(admin.site)
