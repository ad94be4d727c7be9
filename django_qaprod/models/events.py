"""Events: the business facts, in the host's own database and transaction."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Event(models.Model):
    """A step taken by a subject. The id is the record's (UUID version 7): what comes twice is stored once.

    Each index costs every request of a host that opens an SQLite connection for it. So there is none by time
    alone: ids sort by when events were recorded, and who asks by ``at`` names the journey.
    """

    id = models.UUIDField(_("id"), primary_key=True)
    at = models.DateTimeField(_("at"))
    journey = models.CharField(_("journey"), max_length=100)
    step = models.CharField(_("step"), max_length=100)
    subject = models.CharField(_("subject"), max_length=200)
    variant = models.CharField(_("variant"), max_length=100, blank=True)
    browser = models.CharField(_("browser"), max_length=40, blank=True)
    request_id = models.CharField(_("request id"), max_length=128, blank=True)
    release = models.CharField(_("release"), max_length=100, blank=True)
    properties = models.JSONField(_("properties"), default=dict)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("journey", "at", "step"), name="qaprod_event_when"),
            models.Index(fields=("journey", "subject", "step", "at"), name="qaprod_event_subject"),
        )

    def __str__(self) -> str:
        return f"{self.journey}.{self.step}"


class EventKey(models.Model):
    """That a subject has taken a step declared with ``once=True``. Small, and never partitioned."""

    pk = models.CompositePrimaryKey("journey", "step", "subject")
    journey = models.CharField(max_length=100)
    step = models.CharField(max_length=100)
    subject = models.CharField(max_length=200)

    class Meta:
        verbose_name = _("event key")
        verbose_name_plural = _("event keys")

    def __str__(self) -> str:
        return f"{self.journey}.{self.step}: {self.subject}"
