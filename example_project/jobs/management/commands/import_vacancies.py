"""What runs by night: schools tell which vacancies are open."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from example_project.chaos import faults
from example_project.jobs.seed import seed


class Command(BaseCommand):
    help = "Bring in what schools say of their vacancies. Run by qaprod_beat, for the rule that waits for it."

    def handle(self, *args: Any, **options: Any) -> None:
        if faults.on("dead-import"):
            raise CommandError("The schools' feed answers with 403.")
        seed()
