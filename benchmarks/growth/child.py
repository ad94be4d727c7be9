"""Grows a history and measures the pages at each size.

``python -m benchmarks.growth.child PARTS FAILURES ROUTES EVENTS …`` prints one line of JSON for each size. It
is a process of its own because the settings name the database.
"""

from __future__ import annotations

import json
import sys
import time


def main(parts: list[str], failures: int, routes: int, sizes: list[int]) -> None:
    """Grow and measure, of ``PARTS`` those."""
    import django

    django.setup()
    from . import looks, pages, passes
    from .history import History, counts

    measured = {"pages": pages.measured, "passes": passes.measured, "looks": looks.measured}
    history = History(failures=failures, routes=routes)
    began = time.monotonic()
    history.begin()
    for size in sizes:
        history.grow(size)
        loaded = time.monotonic() - began
        answer = {
            "events": size,
            "loaded": loaded,
            "rows": counts(),
            "pages": [line for part in parts for line in measured[part]()],
        }
        print(json.dumps(answer), flush=True)
        began = time.monotonic()


if __name__ == "__main__":
    parts, failures, routes, *sizes = sys.argv[1:]
    main(parts.split(","), int(failures), int(routes), [int(size) for size in sizes])
