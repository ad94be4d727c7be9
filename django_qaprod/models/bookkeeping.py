"""Bookkeeping of the drainers and the worker."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Lease(models.Model):
    """Who does a kind of work now. Expires by the database's clock."""

    name = models.CharField(max_length=100, primary_key=True)
    holder = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class Cursor(models.Model):
    """How far a segment has been stored, moved in the transaction that stores it: nothing is stored twice."""

    segment = models.CharField(max_length=200, primary_key=True)
    position = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("cursor")
        verbose_name_plural = _("cursors")

    def __str__(self) -> str:
        return f"{self.segment}: {self.position}"


class JobRun(models.Model):
    """The last run of one of the worker's jobs, and the last reading of a gauge (``gauge:`` and its name)."""

    name = models.CharField(max_length=120, primary_key=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")

    def __str__(self) -> str:
        return self.name


class Health(models.Model):
    """What went wrong inside us, by machine and part: errors, dropped records and the last message."""

    host = models.CharField(_("machine"), max_length=100)
    part = models.CharField(_("part"), max_length=100)
    errors = models.PositiveBigIntegerField(_("errors"), default=0)
    dropped = models.PositiveBigIntegerField(_("dropped"), default=0)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("health")
        verbose_name_plural = _("health")
        constraints = (models.UniqueConstraint(fields=("host", "part"), name="qaprod_health_part"),)

    def __str__(self) -> str:
        return f"{self.host} {self.part}"
