"""What is to leave, stored with its cause: claimed by lease, sent, marked."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..text import one_line
from .alerts import Alert


class Outgoing(models.Model):
    """The part of a row that ``store.outbox`` works on: something that is to be sent.

    Rows that are claimed together get one ``message``, an id that stays with them: who claims them again
    because somebody died sends the same message under the same id, so that a receiver knows it. ``lane`` is
    what is claimed by: one that is slow or dead holds up no other.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        DROPPED = "dropped", _("not needed any more")

    lane = models.CharField(_("channel"), max_length=100)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.WAITING)
    made_at = models.DateTimeField(_("made"))
    due_at = models.DateTimeField(_("due"))
    message = models.CharField(_("message"), max_length=32, blank=True)
    holder = models.CharField(max_length=100, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    error = models.CharField(_("error"), max_length=500, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    class Meta:
        abstract = True


class Notification(Outgoing):
    """One message to one channel about one alert; what is sent together shares its ``message``.

    ``group`` is the cause by which alerts are told together. ``number`` counts those of a kind, of one alert
    and channel. ``held`` says why it waits, and why it was not needed.
    """

    class Kind(models.TextChoices):
        FIRING = "firing", _("firing")
        REMINDER = "reminder", _("reminder")
        ESCALATION = "escalation", _("escalation")
        RESOLVED = "resolved", _("resolved")

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    number = models.PositiveIntegerField(default=0, editable=False)
    group = models.CharField(_("group"), max_length=200, blank=True)
    held = models.CharField(_("held"), max_length=200, blank=True)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    # By which channel it went, when its own could not be reached.
    via = models.CharField(_("sent by"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-made_at", "-pk")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("alert", "lane", "kind", "number"), name="qaprod_notification_once"
            ),
        )
        indexes = (
            models.Index(fields=("state", "lane", "due_at"), name="qaprod_notification_due"),
            models.Index(fields=("message",), name="qaprod_notification_sent"),
            models.Index(fields=("-made_at", "-id"), name="qaprod_notification_list"),
            models.Index(fields=("sent_at",), name="qaprod_notification_hour"),
        )

    def __str__(self) -> str:
        return one_line(self.subject or f"{self.kind}: {self.lane}")


class Channel(models.Model):
    """How a channel does: its breaker, and its last success and failure. The settings say what it is."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    open_until = models.DateTimeField(_("left alone until"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent last"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed last"), null=True, blank=True)
    error = models.CharField(_("last failure"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("name",)
        default_permissions = ("view",)
        permissions = (("test_channel", "Can send a test by a channel"),)

    def __str__(self) -> str:
        return one_line(self.name)
