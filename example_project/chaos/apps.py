from __future__ import annotations

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "example_project.chaos"
    label = "chaos"
