"""The process whose start is measured: from the interpreter to the first response."""

from __future__ import annotations

import json
import time
from pathlib import Path


def main() -> None:
    """Set Django up, make one request, and print what that took."""
    import django

    django.setup()
    from . import driving

    drive = driving.Wsgi()
    driving.checked(drive, "/plain/", 200)
    seconds = time.process_time()
    status = Path("/proc/self/status").read_text()
    resident = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    print(json.dumps({"seconds": seconds, "resident": resident}))


if __name__ == "__main__":
    main()
