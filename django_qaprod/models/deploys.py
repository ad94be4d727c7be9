"""Deploys: marks on every chart."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..text import one_line


class Deploy(models.Model):
    """A release going live: first seen in a record, or told by ``manage.py qaprod_deploy``."""

    release = models.CharField(_("release"), max_length=100, unique=True)
    at = models.DateTimeField(_("at"), db_index=True)
    note = models.CharField(_("note"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("deploy")
        verbose_name_plural = _("deploys")
        ordering = ("-at",)

    def __str__(self) -> str:
        return one_line(self.release)
