"""A small HTTP service that knows teachers' profiles. Run by ``python -m example_project.profiles``.

It has nothing to do with Django or the site's database, and it can be slow, wrong or dead: see the faults.
"""

from __future__ import annotations

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from example_project.chaos.switches import Switches

SLOW_SECONDS = 8.0
_PREFIX = "/profiles/"

_TOWNS = ("Abingdon", "Bristol", "Leeds", "Norwich", "Oldham", "Penzance", "Ripon", "Swansea", "York")
_SUBJECTS = (
    "Biology",
    "Chemistry",
    "English",
    "French",
    "Geography",
    "History",
    "Mathematics",
    "Music",
    "Physics",
)
_TITLES = ("PGCE Secondary", "PGCE Primary", "BEd with QTS", "School Direct, QTS")
_FIRST = (
    "Amira",
    "Ben",
    "Chidi",
    "Dilys",
    "Elif",
    "Fergus",
    "Grace",
    "Hamza",
    "Isla",
    "Jonas",
    "Kavya",
    "Liam",
)
_LAST = (
    "Adeyemi",
    "Barker",
    "Chen",
    "Davies",
    "Evans",
    "Farouk",
    "Grant",
    "Hughes",
    "Iqbal",
    "Jones",
    "O'Neill",
)


class ProfileServer(ThreadingHTTPServer):
    """The service on a loopback port; ``port=0`` takes a free one."""

    daemon_threads = True

    def __init__(self, *, port: int, faults: Path) -> None:
        self.faults = Switches(faults)
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """The address without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ProfileServer

    def do_GET(self) -> None:
        on = self.server.faults.on()
        if "dead-profiles" in on:
            self.close_connection = True
            return
        if "slow-profiles" in on and self.server.closing.wait(SLOW_SECONDS):
            return
        if not self.path.startswith(_PREFIX):
            self._answer(404, {"error": "There are only profiles here."})
            return
        profile = profile_of(unquote(self.path.removeprefix(_PREFIX)))
        if "missing-data" in on:
            profile["qualifications"] = []
        self._answer(200, profile)

    def _answer(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # Who asked did not wait for the answer.
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def profile_of(username: str) -> dict[str, Any]:
    """Return the profile of a teacher, the same one every time."""
    chance = random.Random(username)
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    return {
        "name": {"first": first, "last": last},
        "contact": {
            "email": f"{username}@teachers.example",
            "phone": f"01632 96{chance.randrange(10_000):04d}",
            "town": chance.choice(_TOWNS),
        },
        "qualifications": [{"title": chance.choice(_TITLES), "year": chance.randrange(1995, 2024)}],
        "subjects": chance.sample(_SUBJECTS, 2),
        "years": chance.randrange(1, 30),
    }
