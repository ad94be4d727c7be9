"""``manage.py qaprod_tick``."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from ...pipeline.drainer import drain_now
from ...worker.loop import run_due


class Command(BaseCommand):
    """Drain this machine's spool and run what is due, once."""

    help = "Store what waits in this machine's spool and run the periodic work that is due, once. For cron."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seconds", type=float, default=50.0, help="drain for that long at most (default: 50)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["seconds"]
        report = drain_now(deadline=deadline)
        outcomes = run_due()
        if any(outcome.gauge for outcome in outcomes or ()):
            drain_now(deadline=deadline)
        if report.locked:
            self.stderr.write(_("Another process drains this machine's spool."))
        if outcomes is None:
            self.stderr.write(_("Another process does the periodic work."))
        failed = [outcome for outcome in outcomes or () if outcome.error and not outcome.gauge]
        for outcome in failed:
            self.stderr.write(self.style.ERROR(f"{outcome.name}: {outcome.error}"))
        for sink in report.failing:
            self.stderr.write(self.style.ERROR(_("The sink %s takes nothing now.") % sink))
        if options["verbosity"] > 1:
            self.stderr.write(f"{report.delivered} records, {len(outcomes or ())} jobs")
        if failed or report.failing:
            sys.exit(1)
