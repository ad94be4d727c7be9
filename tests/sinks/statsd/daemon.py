"""The original StatsD daemon, run as it is."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.servers import free_port, wait_until

from .listeners import Stream

_PROGRAM = Path(__file__).parents[3] / ".peers/statsd/node_modules/statsd/stats.js"


def missing() -> str:
    """Return what is missing for the daemon to run, or nothing."""
    if shutil.which("node") is None:
        return "node (on Debian: apt-get install nodejs npm)"
    return "" if _PROGRAM.exists() else "the StatsD daemon (scripts/peers/statsd)"


class Daemon:
    """A daemon that listens by UDP, TCP and a path, and tells what it has over its management port.

    It sends what it makes of that to ``graphite`` every ``interval`` seconds; then it begins anew.
    """

    def __init__(self, *, interval: float = 600) -> None:
        self.port, self._management = free_port(), free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="qaprod-statsd-"))
        self.path = self._directory / "socket"
        self._interval = interval
        self._process: subprocess.Popen[bytes] | None = None
        self.graphite = Stream().read()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.kill()
        self.graphite.close()
        shutil.rmtree(self._directory)

    def start(self) -> None:
        """Start it and wait until it listens; what it had before is gone."""
        self.path.unlink(missing_ok=True)
        config = self._directory / "config.js"
        config.write_text(json.dumps(self._config()))
        self._process = subprocess.Popen(
            ["node", "--no-warnings", _PROGRAM, config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._listens, what="the StatsD daemon listens")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def counters(self, prefix: str) -> dict[str, float]:
        """Return the counters whose name begins so."""
        return self._numbers("counters", prefix)

    def gauges(self, prefix: str) -> dict[str, float]:
        """Return the gauges whose name begins so."""
        return self._numbers("gauges", prefix)

    def timers(self, prefix: str) -> dict[str, list[float]]:
        """Return the values of the timers whose name begins so, at most a hundred of each."""
        found = re.findall(rf"'?({re.escape(prefix)}[\w.;=-]*)'?: \[([^\]]*)\]", self._ask("timers"))
        return {name: [float(number) for number in re.findall(r"[\d.]+", values)] for name, values in found}

    def bad_lines(self) -> int:
        """Return how many lines it did not understand."""
        return int(self._numbers("counters", "statsd.bad").get("statsd.bad_lines_seen", 0))

    def flushed(self, name: str) -> list[float]:
        """Return what was sent to Graphite under a name, oldest first, without the zeros of no news."""
        found = re.findall(rf"^{re.escape(name)} (\S+) \d+$", self.graphite.received.decode(), re.MULTILINE)
        return [float(number) for number in found if float(number)]

    def wait_for_a_flush(self) -> None:
        """Wait until it has begun anew."""
        before = self.graphite.received.count(b"statsd.numStats")
        wait_until(lambda: self.graphite.received.count(b"statsd.numStats") > before, what="a flush")

    def _config(self) -> dict[str, Any]:
        here = {"address": "127.0.0.1", "port": self.port}
        return {
            "servers": [
                {"server": "./servers/udp", **here},
                {"server": "./servers/tcp", **here},
                {"server": "./servers/tcp", "socket": str(self.path)},
            ],
            "mgmt_address": "127.0.0.1",
            "mgmt_port": self._management,
            "flushInterval": int(self._interval * 1000),
            "percentThreshold": [50, 90, 95, 99],
            "backends": ["./backends/graphite"],
            "graphiteHost": "127.0.0.1",
            "graphitePort": self.graphite.port,
        }

    def _numbers(self, what: str, prefix: str) -> dict[str, float]:
        found = re.findall(rf"'?({re.escape(prefix)}[\w.;=-]*)'?: (-?[\d.e+-]+)", self._ask(what))
        return {name: float(number) for name, number in found if float(number)}

    def _ask(self, what: str) -> str:
        answer = b""
        with socket.create_connection(("127.0.0.1", self._management), timeout=60) as connection:
            connection.sendall(what.encode() + b"\n")
            while not answer.endswith(b"END\n\n"):
                answer += connection.recv(65_535)
        return answer.decode()

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError("the StatsD daemon has ended")
        with socket.socket() as tcp, socket.socket() as management:
            ports = (
                tcp.connect_ex(("127.0.0.1", self.port)),
                management.connect_ex(("127.0.0.1", self._management)),
            )
        return ports == (0, 0) and self.path.exists()
