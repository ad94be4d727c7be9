from __future__ import annotations

import argparse
import sys

from example_project.chaos.faults import NAMES

from .run import Options, run


def main() -> int:
    """Run the demo as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m example_project.demo",
        description="Run the example: a real server, visitors, and faults to switch on. Ctrl-C ends it.",
    )
    history = parser.add_mutually_exclusive_group()
    history.add_argument(
        "--history",
        action="store_true",
        help="load four weeks of generated numbers and failures, once (default: nine weeks of applications)",
    )
    history.add_argument("--empty", action="store_true", help="begin without any history")
    parser.add_argument(
        "--traffic",
        type=float,
        default=2.0,
        metavar="RATE",
        help="visitors a second, 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--rhythm",
        action="store_true",
        help="let more come in the evening than at night, as in the generated history; RATE is the average",
    )
    parser.add_argument(
        "--pace",
        type=float,
        default=0.8,
        metavar="SECONDS",
        help="how long they look at a page (default: %(default)s)",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="how long they wait for an answer (default: %(default)s)",
    )
    parser.add_argument("--seconds", type=float, metavar="N", help="end after so many (default: never)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=NAMES,
        help="begin with it (repeatable; default: none)",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="where to serve, if that port is free (default: %(default)s)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs have left")
    parser.add_argument(
        "--exporters",
        action="store_true",
        help="send to StatsD, OpenTelemetry and a server that speaks Sentry's protocol, as far as installed",
    )
    return run(Options(**vars(parser.parse_args())))


if __name__ == "__main__":
    sys.exit(main())
