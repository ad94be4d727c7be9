"""What the measured views read and write."""

from __future__ import annotations

from django.db import models


class Vacancy(models.Model):
    """Something to be found by one query."""

    title = models.CharField(max_length=100)

    class Meta:
        app_label = "project"

    def __str__(self) -> str:
        return self.title
