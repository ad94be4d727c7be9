"""``manage.py qaprod_beat NAME -- command``."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...alerts.beating import beat
from ...alerts.running import run


class Command(BaseCommand):
    """Run a job and tell that it ran, for the rule ``Heartbeat``. Its exit status is that of the job."""

    help = (
        "Runs a command and tells when it has ended, and whether well, for the rule Heartbeat of that name. "
        "Streams, signals and the exit status are the command's. Without a command it tells so at once."
    )
    # The job runs, whatever is wrong with the site.
    requires_system_checks = ()
    #: What stands behind ``--``. Not for the parser, which would look for options of its own in it.
    behind: tuple[str, ...] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        if "--" in argv:
            place = argv.index("--")
            argv, self.behind = argv[:place], tuple(argv[place + 1 :])
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name of the Heartbeat")
        parser.add_argument("command", nargs="*", help="behind --: what to run, with its arguments")
        parser.add_argument(
            "--failed", action="store_true", help="without a command: tell that the job has failed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        command = self.behind or tuple(options["command"])
        if not command:
            beat(options["name"], ok=not options["failed"])
            return
        began = time.monotonic()
        status = run(command)
        beat(options["name"], ok=status == 0, seconds=time.monotonic() - began)
        if status:
            sys.exit(status)
