from __future__ import annotations

import argparse
import json
import signal
import threading
from datetime import datetime
from pathlib import Path

from .. import rhythm
from ..rhythm import ZONE
from .run import run
from .tally import Tally
from .visitors import Crowd

WRITE_EVERY = 2.0


def main() -> None:
    """Send visitors until SIGINT or SIGTERM, or as long as told; print what they counted as JSON."""
    parser = argparse.ArgumentParser(description="Send visitors to the site.")
    parser.add_argument("base", help="the site's address, such as http://127.0.0.1:8000")
    parser.add_argument("--rate", type=float, default=2.0, help="visitors a second, on average")
    parser.add_argument(
        "--rhythm",
        action="store_true",
        help="by the hour of the day and the day of the week; rate is the average",
    )
    parser.add_argument("--pace", type=float, default=0.8, help="seconds that a visitor looks at a page")
    parser.add_argument("--patience", type=float, default=15.0, help="seconds that they wait for an answer")
    parser.add_argument("--visits", type=int, help="end after so many visitors")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    parser.add_argument("--seed", type=int, default=1, help="other visitors, or the same ones again")
    parser.add_argument("--summary", type=Path, help="a file that always has the latest summary")
    options = parser.parse_args()
    tally, stop = Tally(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    crowd = Crowd(
        base=options.base.rstrip("/"), tally=tally, stop=stop, pace=options.pace, patience=options.patience
    )
    done = threading.Event()
    if options.summary:
        threading.Thread(target=_keep_writing, args=(tally, options.summary, done), daemon=True).start()
    rate = (lambda: options.rate * rhythm.share(datetime.now(ZONE))) if options.rhythm else options.rate
    run(crowd, rate=rate, visits=options.visits, seconds=options.seconds, seed=options.seed)
    done.set()
    if options.summary:
        tally.write(options.summary)
    print(json.dumps(tally.summary(), indent=2))


def _keep_writing(tally: Tally, path: Path, done: threading.Event) -> None:
    while not done.wait(WRITE_EVERY):
        tally.write(path)


if __name__ == "__main__":
    main()
