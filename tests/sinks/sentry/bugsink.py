"""Bugsink: a server that speaks Sentry's protocol, as ``scripts/peers/bugsink`` installs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.servers import free_port, wait_until

HOME = Path(__file__).parents[3] / ".peers" / "bugsink"

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bugsink:
    """A running server with one project."""

    port: int
    key: str
    token: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def events(self, release: str) -> list[dict[str, Any]]:
        """Return the events of a release, as they were taken."""
        issues = self._results("issues/?project=1")
        listed = [event for issue in issues for event in self._results(f"events/?issue={issue['id']}")]
        events = [self._get(f"events/{event['id']}/")["data"] for event in listed]
        return [event for event in events if event.get("release") == release]

    def _results(self, path: str) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = self._get(path)["results"]
        return results

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/canonical/0/{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with _opener.open(request, timeout=60) as answer:
            return json.load(answer)


def missing() -> str:
    """Return what is missing for ``running``, or nothing."""
    return "" if (HOME / "site" / "keys").exists() else "Bugsink (run scripts/peers/bugsink)"


@contextmanager
def running() -> Iterator[Bugsink]:
    """Run a server until the block ends."""
    key, token = (HOME / "site" / "keys").read_text().split()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="qaprod-bugsink-") as directory:
        site = Path(directory, "site")
        shutil.copytree(HOME / "site", site)
        process = subprocess.Popen(
            [
                *(HOME / "bin" / "gunicorn", "bugsink.wsgi", "--bind", f"127.0.0.1:{port}"),
                *("--threads", "4", "--no-control-socket", "--log-level", "warning"),
            ],
            cwd=site,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "bugsink_conf", "PYTHONPATH": str(site)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server = Bugsink(port=port, key=UUID(key).hex, token=token)
        try:
            wait_until(lambda: _answers(server), what="Bugsink answers")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=60)


def _answers(server: Bugsink) -> bool:
    try:
        server.events("")
    except OSError:
        return False
    return True
