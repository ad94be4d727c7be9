from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "example_project.jobs"
    label = "jobs"
    verbose_name = "Classroom Jobs"
