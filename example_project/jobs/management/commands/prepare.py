"""Everything that the site needs before its first visitor comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from example_project.accounts import STAFF, STAFF_PASSWORD
from example_project.jobs import history as history_
from example_project.jobs.seed import seed


class Command(BaseCommand):
    help = "Migrate, make the accounts, schools and vacancies that are missing, load history if asked."
    # There may be no tables yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--history", action="store_true", help="load all of the generated history")
        parser.add_argument("--empty", action="store_true", help="load nothing of it")

    def handle(self, *args: Any, history: bool, empty: bool, **options: Any) -> None:
        Path(settings.MAIL_DIR).mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        if not User.objects.filter(username=STAFF).exists():
            User.objects.create_superuser(STAFF, "demo@classroom-jobs.example", STAFF_PASSWORD)
        seed()
        if history:
            load_history(self)
        elif not empty:
            history_.load_events()


def load_history(command: BaseCommand) -> None:
    """Load the history, once, and say what came of it."""
    command.stdout.write("Loading four weeks of generated history …", ending=" ")
    command.stdout.flush()
    loaded = history_.load()
    command.stdout.write("done." if loaded else "it is there already.")
