"""The demo, run as ``make demo`` runs it, in a directory of a test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from example_project.traffic.agents import BROWSERS
from example_project.traffic.browser import Answer, Browser
from example_project.traffic.pages import Form
from example_project.traffic.tally import Tally
from tests.servers import free_port, wait_until

ROOT = Path(__file__).parents[2]

# What the package knows, told by a process of its own once everybody else has ended.
_TELL = """
import json
import django
django.setup()
from django.db.models import Sum
from django_qaprod.forms import waiting
from django_qaprod.models import Bucket, Deploy, Event, Failure, RescuedSubmission
from django_qaprod.pipeline import spool
from django_qaprod.pipeline.drainer import drain_now
from django_qaprod.sent import reference_of
from example_project.jobs.models import Application
drain_now()
waiting.collect(spool.directory())
submitted = Application.objects.filter(status="submitted")
requests = {}
rows = Bucket.objects.filter(series__name="http.server.request.duration", rolled=False)
for attributes, count in rows.values_list("series__attributes", "count"):
    for key in ("http.response.status_code", "qaprod.outcome"):
        requests.setdefault(attributes[key], 0)
        requests[attributes[key]] += count
steps = list(Event.objects.order_by().values_list("step", flat=True))
print(json.dumps({
    "requests": rows.aggregate(n=Sum("count"))["n"] or 0,
    "by": requests,
    "steps": {step: steps.count(step) for step in set(steps)},
    "failures": [
        {
            "kind": row.kind, "type": row.error_type, "message": row.message, "name": row.name,
            "count": row.count, "served": row.served,
        }
        for row in Failure.objects.all()
    ],
    "submitted": submitted.count(),
    "applications": sorted(str(token) for token in submitted.values_list("token", flat=True)),
    "rescued": {
        reference_of(row.pk): {
            "state": row.state, "in_doubt": row.in_doubt, "route": row.route, "failure": row.failure,
        }
        for row in RescuedSubmission.objects.all()
    },
    "emailed": Application.objects.exclude(emailed_at=None).count(),
    "notes": sorted(set(Deploy.objects.values_list("note", flat=True))),
}))
"""


#: What a busy machine may need: seconds for a page, and how many times as long for the site's own services.
PATIENCE, TIMEOUTS = 60.0, 10.0


class Demo:
    """A running demo."""

    def __init__(
        self, directory: Path, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory
        self.environment = {**os.environ, "EXAMPLE_DIR": str(directory), **(environment or {})}
        self.environment.pop("DJANGO_SETTINGS_MODULE", None)
        if "--history" not in arguments:
            # What the package has counted is then what this run's visitors did.
            arguments = ("--empty", *arguments)
        with (directory / "demo.out").open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "example_project.demo", "--port", str(free_port())),
                    *("--patience", str(PATIENCE), *arguments),
                ],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        """Return what it wrote."""
        return (self.directory / "demo.out").read_text()

    def url(self) -> str:
        """Wait until it says where to look; return the site's address."""
        wait_until(lambda: "Ctrl-C" in self.output() or self.process.poll() is not None, timeout=240)
        found = re.search(r"The site +(\S+)/\n", self.output())
        assert found, self.output()
        return found[1]

    def wait(self, timeout: float = 240) -> int:
        """Wait for its end; return the exit status."""
        return self.process.wait(timeout=timeout)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Press Ctrl-C, or send another signal, and wait; return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def until(self, **numbers: int) -> None:
        """Wait until the visitors have counted so much."""
        written = self.directory / "traffic.json"

        def counted() -> bool:
            assert self.process.poll() is None, self.output()
            if not written.exists():
                return False
            found = self.counted()
            return all(found[name] >= number for name, number in numbers.items())

        wait_until(counted, timeout=180, what=f"the visitors have counted {numbers}")

    def alive(self) -> list[int]:
        """Return the processes that were started for it and are there still (Linux)."""
        mark = f"EXAMPLE_DIR={self.directory}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    def counted(self) -> dict[str, Any]:
        """Return what the visitors counted."""
        counted: dict[str, Any] = json.loads((self.directory / "traffic.json").read_text())
        return counted

    def told(self) -> dict[str, Any]:
        """Return what the package has stored; only after the end."""
        result = subprocess.run(
            [sys.executable, "-c", _TELL],
            cwd=ROOT,
            env={**self.environment, "DJANGO_SETTINGS_MODULE": "example_project.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        told: dict[str, Any] = json.loads(result.stdout)
        return told


@contextmanager
def running(directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Demo]:
    """Run the demo until the block ends; nothing of it is left behind."""
    demo = Demo(directory, *arguments, environment=environment)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.wait()
        for pid in demo.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Person:
    """Somebody who looks at the demo with a browser."""

    def __init__(self, url: str) -> None:
        self.browser = Browser(url, BROWSERS[0], Tally(), patience=PATIENCE)

    def log_in(self, path: str, username: str, password: str) -> Answer:
        """Log in with the form at ``path``, which is that of the site or of the admin."""
        answer = self.browser.get(path)
        form = next(form for form in answer.page.forms if "password" in form.names)
        return self.browser.send(form, answer.path, {"username": username, "password": password})

    def switch(self, fault: str) -> Answer:
        """Press a fault's switch on the chaos page."""
        answer = self.browser.get("/chaos/")
        return self.browser.send(self._switch(answer, fault), answer.path)

    def replay_all(self, failure: str) -> Answer:
        """Have all submissions replayed that wait because of a failure, by its fingerprint."""
        token = self.browser.get("/admin/password_change/").page.forms[0].fields["csrfmiddlewaretoken"]
        form = Form(
            name="",
            action="/admin/qaprod/rescuedsubmission/replay-failure/",
            method="post",
            fields={"csrfmiddlewaretoken": token, "failure": failure},
        )
        return self.browser.send(form, "/admin/")

    def _switch(self, answer: Answer, fault: str) -> Form:
        return next(form for form in answer.page.forms if form.action == f"/chaos/{fault}/")
