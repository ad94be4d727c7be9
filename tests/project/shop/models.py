from __future__ import annotations

from django.db import models


class Order(models.Model):
    number = models.CharField(max_length=40, default="")
    state = models.CharField(max_length=20, default="open")

    def __str__(self) -> str:
        return self.number
