"""Grows a history and measures the pages at each size.

``python -m benchmarks.growth.child FAILURES ROUTES EVENTS …`` prints one line of JSON for each size. It is a
process of its own because the settings name the database.
"""

from __future__ import annotations

import json
import sys
import time


def main(failures: int, routes: int, sizes: list[int]) -> None:
    """Grow and measure."""
    import django

    django.setup()
    from . import looks, pages, passes
    from .history import History, counts

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
            "pages": [*pages.measured(), *passes.measured(), *looks.measured()],
        }
        print(json.dumps(answer), flush=True)
        began = time.monotonic()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [int(size) for size in sys.argv[3:]])
