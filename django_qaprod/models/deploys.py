"""Deploys: marks on every chart."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..text import one_line


class Deploy(models.Model):
    """A release going live: first seen in a record, or told by ``manage.py qaprod_deploy``.

    With ``flag`` it is no new code but a feature flag that was changed, by its name: each time anew. That is
    a mark as well, and told with alerts as what may have caused them. It is no release: regressions, healing
    after a deploy and dips look at those alone.
    """

    release = models.CharField(_("release"), max_length=100)
    at = models.DateTimeField(_("at"), db_index=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    flag = models.BooleanField(_("flag"), default=False)

    class Meta:
        verbose_name = _("deploy")
        verbose_name_plural = _("deploys")
        ordering = ("-at",)
        constraints = (
            models.UniqueConstraint(
                fields=("release",), condition=models.Q(flag=False), name="qaprod_deploy_release"
            ),
        )

    def __str__(self) -> str:
        return one_line(self.release)

    @property
    def named(self) -> str:
        """What it is, and its name; in English."""
        return f"{'flag' if self.flag else 'release'} {self}"
