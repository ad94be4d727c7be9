"""Changes of state, of failures and of alerts."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .alerts import Alert
from .failures import Failure


class Transition(models.Model):
    """A change of a failure's or an alert's state: when, who (a user name, or ``qaprod`` itself) and why."""

    failure = models.ForeignKey(
        Failure, on_delete=models.CASCADE, related_name="transitions", null=True, blank=True
    )
    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, related_name="transitions", null=True, blank=True
    )
    at = models.DateTimeField(_("at"))
    who = models.CharField(_("who"), max_length=150)
    before = models.CharField(_("before"), max_length=16)
    after = models.CharField(_("after"), max_length=16)
    why = models.CharField(_("why"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("transition")
        verbose_name_plural = _("transitions")
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=("failure", "-at"), name="qaprod_transition_latest"),
            models.Index(fields=("alert", "-at"), name="qaprod_transition_alert"),
        )

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"

    def get_before_display(self) -> str:
        """Return in words what the state was."""
        return self._words(self.before)

    def get_after_display(self) -> str:
        """Return in words what the state became."""
        return self._words(self.after)

    def _words(self, state: str) -> str:
        states: type[models.TextChoices] = Failure.State if self.alert_id is None else Alert.State
        return str(dict(states.choices).get(state, state))
