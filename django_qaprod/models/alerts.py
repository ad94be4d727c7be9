"""Alerts: what the rules are now, what fires, who asked for quiet."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..text import one_line
from .failures import Failure


class Rule(models.Model):
    """What is known of a rule beside its declaration: how it was judged last, and what people changed.

    ``override`` holds by name what the admin says in place of the code: ``{"value": …, "who": …, "at": …}``;
    without ``value`` the code holds, and that is who gave it back. ``verdicts`` are the last ones, the worst
    first.
    """

    name = models.CharField(_("name"), max_length=150, unique=True)
    override = models.JSONField(default=dict, editable=False)
    judged_at = models.DateTimeField(_("judged last"), null=True, blank=True)
    # Apart from the last: an evaluation that fails is no news about the numbers.
    well_at = models.DateTimeField(_("judged well last"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)
    silent = models.CharField(_("why nothing can be said"), max_length=500, blank=True)
    silent_since = models.DateTimeField(_("nothing can be said since"), null=True, blank=True)
    verdicts = models.JSONField(default=list, editable=False)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ("name",)
        default_permissions = ("view",)
        permissions = (("override_rule", "Can change what rules say"),)

    def __str__(self) -> str:
        return one_line(self.name)


class Alert(models.Model):
    """One stretch of a rule's firing, for one of the things that it tells apart (``key``).

    While it is pending nobody is told. ``wrong_at`` is when it was wrong last.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        FIRING = "firing", _("firing")
        RESOLVED = "resolved", _("resolved")

    rule = models.CharField(_("rule"), max_length=150)
    key = models.CharField(_("which"), max_length=200, blank=True)
    kind = models.CharField(_("kind"), max_length=32)
    severity = models.CharField(_("severity"), max_length=16, choices=Failure.Severity)
    # So that lists sort by it: 0 is the worst.
    rank = models.PositiveSmallIntegerField(default=0, editable=False)
    journey = models.CharField(_("journey"), max_length=100, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State)
    began_at = models.DateTimeField(_("wrong since"))
    wrong_at = models.DateTimeField(_("wrong last"))
    fired_at = models.DateTimeField(_("fired"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    value = models.FloatField(_("value"), null=True, blank=True)
    limit = models.FloatField(_("limit"), null=True, blank=True)
    words = models.CharField(_("what happened"), max_length=500, blank=True)
    usual = models.CharField(_("compared with"), max_length=500, blank=True)
    flapping = models.BooleanField(_("flapping"), default=False)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.CharField(_("acknowledged by"), max_length=150, blank=True)
    reminders = models.PositiveIntegerField(_("reminders"), default=0, editable=False)
    remind_at = models.DateTimeField(null=True, blank=True, editable=False)
    escalate_at = models.DateTimeField(null=True, blank=True, editable=False)
    # ``None`` until somebody says.
    useful = models.BooleanField(_("was useful"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("rank", "-fired_at", "-pk")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("rule", "key"),
                condition=models.Q(state__in=("pending", "firing")),
                name="qaprod_alert_once",
            ),
        )
        indexes = (
            models.Index(fields=("state", "rank", "-fired_at"), name="qaprod_alert_worst"),
            models.Index(fields=("rule", "-fired_at"), name="qaprod_alert_rule"),
            models.Index(fields=("resolved_at",), name="qaprod_alert_over"),
        )
        permissions = (
            ("acknowledge_alert", "Can acknowledge alerts and say whether they were useful"),
            ("resolve_alert", "Can resolve alerts"),
        )

    def __str__(self) -> str:
        return one_line(f"{self.rule}: {self.key}" if self.key else self.rule)


class Silence(models.Model):
    """A stretch of asked-for quiet. It matches an alert when all that it names fits, and names something.

    A maintenance window is one that begins later and names nothing but ``everything``.
    """

    rule = models.CharField(_("rule"), max_length=150, blank=True)
    key = models.CharField(_("which"), max_length=200, blank=True)
    journey = models.CharField(_("journey"), max_length=100, blank=True)
    everything = models.BooleanField(_("everything (maintenance)"), default=False)
    begins_at = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("until"))
    who = models.CharField(_("who"), max_length=150)
    why = models.CharField(_("why"), max_length=500)
    made_at = models.DateTimeField(_("made"))
    ended_by = models.CharField(_("ended by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("silence")
        verbose_name_plural = _("silences")
        ordering = ("-until", "-pk")
        default_permissions = ("view", "add")
        permissions = (("end_silence", "Can end silences"),)
        indexes = (models.Index(fields=("until",), name="qaprod_silence_until"),)

    def __str__(self) -> str:
        what = str(_("everything")) if self.everything else self.rule or self.journey
        return one_line(f"{what}: {self.why}")
