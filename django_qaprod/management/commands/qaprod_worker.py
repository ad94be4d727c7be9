"""``manage.py qaprod_worker``."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from ...clock import now
from ...worker.service import Service


class Command(BaseCommand):
    """Drain and work in a process of its own until SIGTERM or SIGINT."""

    help = "Store what waits in this machine's spool and do the periodic work, until SIGTERM or SIGINT."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what there is to do, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        service = Service(say=self._say, verbose=options["verbosity"] > 1)
        if options["once"]:
            sys.exit(0 if service.once() else 1)
        stop = threading.Event()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            # A second signal ends the process at once.
            signal.signal(number, signal.SIG_DFL)
            stop.set()

        before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            well = service.run(stop)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self._say(_("Stopped."))
        if not well:
            sys.exit(1)

    def _say(self, words: str) -> None:
        self.stderr.write(f"{now():%Y-%m-%d %H:%M:%S} {words}")
        self.stderr.flush()
