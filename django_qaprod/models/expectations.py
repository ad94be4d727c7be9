"""Breaches: subjects for which an expectation was not met."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..text import one_line


class Breach(models.Model):
    """An event that was not followed as expected. ``event`` is its id, ``at`` its time.

    It closes itself when what was missing comes. ``tried`` holds the last tries to repair
    it, ``tries`` counts those of the worker.
    """

    class Kind(models.TextChoices):
        MISSING = "missing", _("has not come")
        TWICE = "twice", _("came more than once")
        ALONE = "alone", _("came without the other")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        CAME = "came", _("came late")
        DISMISSED = "dismissed", _("dismissed")

    expectation = models.CharField(_("expectation"), max_length=150)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    journey = models.CharField(_("journey"), max_length=100)
    step = models.CharField(_("step"), max_length=100)
    subject = models.CharField(_("subject"), max_length=200)
    event = models.UUIDField(_("event"))
    at = models.DateTimeField(_("at"))
    due_at = models.DateTimeField(_("due"))
    request_id = models.CharField(_("request id"), max_length=128, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.OPEN)
    found_at = models.DateTimeField(_("found"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    who = models.CharField(_("closed by"), max_length=150, blank=True)
    why = models.CharField(_("why"), max_length=500, blank=True)
    tries = models.PositiveIntegerField(_("tries to repair"), default=0)
    tried_at = models.DateTimeField(_("tried last"), null=True, blank=True)
    tried = models.JSONField(default=list, editable=False)

    class Meta:
        verbose_name = _("breach")
        verbose_name_plural = _("breaches")
        ordering = ("-due_at", "-pk")
        constraints = (
            models.UniqueConstraint(fields=("expectation", "kind", "event"), name="qaprod_breach_once"),
        )
        indexes = (
            models.Index(fields=("state", "-due_at", "-id"), name="qaprod_breach_list"),
            models.Index(fields=("expectation", "state", "subject"), name="qaprod_breach_subject"),
            models.Index(fields=("found_at", "expectation"), name="qaprod_breach_found"),
        )
        permissions = (
            ("repair_breach", "Can repair breaches"),
            ("dismiss_breach", "Can dismiss breaches"),
        )

    def __str__(self) -> str:
        return one_line(f"{self.expectation}: {self.subject}")
