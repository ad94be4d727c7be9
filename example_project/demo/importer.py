"""Runs every minute what cron would run by night: the import of vacancies, which tells that it ran."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

BEGIN_AFTER, EVERY = 5.0, 60.0
# The rule's name in ``jobs/qaprod.py``, which only a process with Django can import.
NAME = "import of vacancies"
COMMAND: Sequence[str] = (sys.executable, "-m", "example_project")


def main() -> None:
    """Run it until we are told to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    pause = BEGIN_AFTER
    while not stop.wait(pause):
        pause = EVERY
        subprocess.run([*COMMAND, "qaprod_beat", NAME, "--", *COMMAND, "import_vacancies"], check=False)


if __name__ == "__main__":
    main()
