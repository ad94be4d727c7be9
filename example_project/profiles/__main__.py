from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from .service import ProfileServer


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="Serve teachers' profiles on the loopback interface.")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument(
        "--faults", type=Path, default=Path(".demo/faults.json"), help="the file with the switches"
    )
    options = parser.parse_args()
    server = ProfileServer(port=options.port, faults=options.faults)

    def stop(*_: object) -> None:
        server.closing.set()
        # Not in this thread, which is the one that serves.
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.serve_forever(poll_interval=0.2)
    server.server_close()


if __name__ == "__main__":
    main()
