"""Failures: groups of alike errors, their occurrences and what became of them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..text import one_line


class Failure(models.Model):
    """A group of alike errors.

    ``count`` and the other totals are exact. ``priority`` and ``rate`` are kept by the worker so that
    lists can sort by them; ``priority_parts`` says how the priority came about.
    """

    class Kind(models.TextChoices):
        UNHANDLED = "unhandled", _("unhandled")
        DEGRADED = "degraded", _("degraded")
        LOGGED = "logged", _("logged")
        TASK = "task", _("task")
        COMMAND = "command", _("command")
        REPLAY = "replay", _("replay")
        GAUGE = "gauge", _("gauge")

    class Severity(models.TextChoices):
        INFO = "info", _("info")
        WARNING = "warning", _("warning")
        ERROR = "error", _("error")
        CRITICAL = "critical", _("critical")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        RESOLVED = "resolved", _("resolved")
        SILENCED = "silenced", _("silenced")

    fingerprint = models.CharField(_("fingerprint"), max_length=64, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    severity = models.CharField(_("severity"), max_length=16, choices=Severity, default=Severity.ERROR)
    error_type = models.CharField(_("error type"), max_length=200)
    message = models.CharField(_("message"), max_length=500, blank=True)
    culprit = models.CharField(_("where"), max_length=300, blank=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    journey = models.CharField(_("journey"), max_length=100, blank=True, db_index=True)
    route = models.CharField(_("route"), max_length=300, blank=True, db_index=True)
    method = models.CharField(_("method"), max_length=16, blank=True)
    critical = models.BooleanField(_("on a critical view"), default=False)

    state = models.CharField(_("state"), max_length=16, choices=State, default=State.OPEN)
    state_since = models.DateTimeField(_("in this state since"), null=True, blank=True)
    regression = models.BooleanField(_("came back"), default=False)
    # The release that was live when it was resolved: one that went live before it cannot reopen the failure.
    resolved_release = models.CharField(_("resolved in release"), max_length=100, blank=True)
    resolve_in_next = models.BooleanField(_("resolve in the next release"), default=False)
    # ``silenced_above`` stays while the failure is open because it exceeded it: it is silent again when the
    # rate has fallen well below.
    silenced_until = models.DateTimeField(_("silenced until"), null=True, blank=True)
    silenced_above = models.PositiveIntegerField(_("silenced up to, an hour"), null=True, blank=True)

    count = models.PositiveBigIntegerField(_("occurrences"), default=0)
    served = models.PositiveBigIntegerField(_("visitors served"), default=0)
    people = models.PositiveIntegerField(_("people"), default=0)
    subjects = models.PositiveIntegerField(_("subjects"), default=0)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"), db_index=True)
    first_release = models.CharField(_("first release"), max_length=100, blank=True)
    last_release = models.CharField(_("last release"), max_length=100, blank=True, db_index=True)

    rate = models.FloatField(_("rate, an hour"), default=0)
    priority = models.FloatField(_("priority"), default=0)
    priority_parts = models.JSONField(default=dict, editable=False)

    class Meta:
        verbose_name = _("failure")
        verbose_name_plural = _("failures")
        ordering = ("-priority", "-last_seen")
        indexes = (
            models.Index(fields=("state", "-priority", "-last_seen"), name="qaprod_failure_worst"),
            models.Index(fields=("-priority", "-last_seen"), name="qaprod_failure_priority"),
        )
        permissions = (
            ("resolve_failure", "Can resolve and reopen failures"),
            ("silence_failure", "Can silence failures"),
            ("export_failure", "Can export failures"),
        )

    def __str__(self) -> str:
        return one_line(f"{self.error_type}: {self.message}" if self.message else self.error_type)


class Stack(models.Model):
    """The frames of a chain of exceptions, kept once for all occurrences that share them."""

    digest = models.CharField(max_length=32, primary_key=True)
    # The JSON text of ``FailureRecord.frames``: never searched, so never parsed by the database.
    frames = models.TextField()
    last_used = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("stack")
        verbose_name_plural = _("stacks")

    def __str__(self) -> str:
        return self.digest


class Occurrence(models.Model):
    """One error that happened.

    Only some are kept: the first, the last, those around a change of state, and a fair sample between,
    which ``rank`` decides (it is uniform over the ids, so the lowest are a sample without replacement).
    """

    id = models.CharField(_("id"), max_length=32, primary_key=True)
    failure = models.ForeignKey(
        Failure, on_delete=models.CASCADE, related_name="occurrences", verbose_name=_("failure")
    )
    at = models.DateTimeField(_("at"))
    severity = models.CharField(_("severity"), max_length=16, choices=Failure.Severity)
    message = models.CharField(_("message"), max_length=1000, blank=True)
    chain = models.JSONField(_("exceptions"), default=list)
    stack = models.CharField(max_length=32, blank=True)
    served = models.BooleanField(_("visitor served"), default=False)
    journey = models.CharField(_("journey"), max_length=100, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    route = models.CharField(_("route"), max_length=300, blank=True)
    method = models.CharField(_("method"), max_length=16, blank=True)
    request_id = models.CharField(_("request id"), max_length=128, blank=True, db_index=True)
    trace_id = models.CharField(_("trace id"), max_length=32, blank=True)
    span_id = models.CharField(_("span id"), max_length=16, blank=True)
    user = models.CharField(_("user"), max_length=100, blank=True)
    browser = models.CharField(_("browser"), max_length=40, blank=True)
    release = models.CharField(_("release"), max_length=100, blank=True)
    host = models.CharField(_("machine"), max_length=100, blank=True)
    lines = models.JSONField(_("lines around"), default=list)
    extra = models.JSONField(_("more"), default=dict)
    rank = models.BigIntegerField(editable=False)

    class Meta:
        verbose_name = _("occurrence")
        verbose_name_plural = _("occurrences")
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("failure", "-at", "-id"), name="qaprod_occurrence_latest"),)

    def __str__(self) -> str:
        return self.id


class Affected(models.Model):
    """A person or subject that met a failure, once each. ``served``: every time they were served anyway."""

    class Who(models.TextChoices):
        USER = "user", _("user")
        SUBJECT = "subject", _("subject")

    failure = models.ForeignKey(Failure, on_delete=models.CASCADE, related_name="affected")
    who = models.CharField(max_length=8, choices=Who)
    journey = models.CharField(max_length=100, blank=True)
    key = models.CharField(max_length=200)
    served = models.BooleanField(default=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("affected")
        verbose_name_plural = _("affected")
        constraints = (
            models.UniqueConstraint(fields=("failure", "who", "journey", "key"), name="qaprod_affected_once"),
        )
        indexes = (models.Index(fields=("who", "key"), name="qaprod_affected_key"),)

    def __str__(self) -> str:
        return f"{self.who} {self.key}"
