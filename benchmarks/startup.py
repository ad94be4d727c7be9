"""The process whose start is measured: from the interpreter to the first response."""

from __future__ import annotations

import gc
import json
import os
import time
from pathlib import Path


def main() -> None:
    """Set Django up, make one request, and print what that took."""
    # Young objects are collected as ever. A full collection comes every 92,000 objects, and a start makes
    # about as many: chance says which variant has one (9 ms), and a module more or less turns it.
    young, middle, _full = gc.get_threshold()
    gc.set_threshold(young, middle, 1_000)
    import django

    django.setup()
    from . import driving

    drive = driving.Wsgi()
    driving.checked(drive, "/plain/", 200)
    seconds = time.process_time()
    status = Path("/proc/self/status").read_text()
    resident = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    print(json.dumps({"seconds": seconds, "resident": resident}), flush=True)
    # What a process does at its end is no part of its start, where instructions are counted as well.
    os._exit(0)


if __name__ == "__main__":
    main()
