"""A host project on a database of its own, run by real servers and looked into from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import ApplicationServer, run_server

ROOT = Path(__file__).parents[2]
SETTINGS = "tests.live.settings"


@dataclass(slots=True, kw_only=True)
class Host:
    """One installation: a directory, a database, and the settings that differ from the defaults."""

    directory: Path
    database: dict[str, Any]
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def fault(self) -> Path:
        """The file that makes the form's view fail."""
        return self.directory / "fault"

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this host needs to know."""
        given = {
            "DATABASES": {"default": self.database},
            "QAPROD": {"SPOOL_DIR": str(self.directory / "spool"), "RESCUE_KEYS": ["q" * 43 + "="]},
            "LIVE_FAULT": str(self.fault),
            **self.changes,
        }
        return {"QAPROD_LIVE": json.dumps(given), "DJANGO_SETTINGS_MODULE": SETTINGS}

    @contextmanager
    def serve(self, kind: str, **options: Any) -> Iterator[ApplicationServer]:
        """Run a server until the block ends."""
        with run_server(
            kind, project=ROOT, settings=SETTINGS, environment=self.environment, **options
        ) as server:
            yield server

    def manage(self, *arguments: str, timeout: float = 300, check: bool = True) -> str:
        """Run a management command; return what it printed. It may fail unless ``check``."""
        return self._run("-m", "django", *arguments, timeout=timeout, check=check)

    def ask(self, expression: str) -> Any:
        """Evaluate an expression with all models at hand, in a process that records nothing."""
        script = (
            "import json, django; django.setup()\n"
            "from django_qaprod.models import *\n"
            "from django.db.models import *\n"
            "from django_qaprod.forms import queue\n"
            "from django_qaprod.store import submissions\n"
            "from tests.project.shop.models import Order\n"
            f"print(json.dumps({expression}, default=str))"
        )
        return json.loads(self._run("-c", script).splitlines()[-1])

    def requests(self, route: str) -> int:
        """Return how many requests of a route are in the store."""
        found = self.ask(
            "Bucket.objects.filter(rolled=False, series__name='http.server.request.duration',"
            f" series__label={route!r}).aggregate(n=Sum('count'))['n']"
        )
        return int(found or 0)

    def kept(self) -> list[str]:
        """Return the numbers of the orders that were kept, decrypted, one for each submission."""
        found: list[str] = self.ask(
            "[dict(submissions.opened(row, who='a test', act='viewed').fields)['number']"
            " for row in RescuedSubmission.objects.all()]"
        )
        return found

    def orders(self) -> list[str]:
        """Return the numbers of the orders that are stored."""
        found: list[str] = self.ask("list(Order.objects.values_list('number', flat=True))")
        return found

    def replay_all(self) -> None:
        """Replay all that waits."""
        self.ask(
            "[queue.ask([row.pk for row in RescuedSubmission.objects.all()], who='staff'), queue.work()]"
        )

    def tick(self) -> None:
        """Drain what lies in the spool and run the jobs that are due, as cron would."""
        self.manage("qaprod_tick")

    def _run(self, *arguments: str, timeout: float = 300, check: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise RuntimeError(f"{arguments[:3]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout


def sqlite(directory: Path, **changes: Any) -> Host:
    """Return a host on SQLite as ``startproject`` makes it, migrated."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "db.sqlite3")}
    host = Host(directory=directory, database=database, changes=changes)
    host.manage("migrate", "--verbosity", "0")
    return host
