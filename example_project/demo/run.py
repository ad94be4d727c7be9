"""Starts everything, says where to look, waits, ends everything."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ..accounts import STAFF, STAFF_PASSWORD
from ..chaos.switches import Switches
from . import exporters
from .processes import LOOPBACK, Child, Family, free_port, wait_for_port

ROOT = Path(__file__).resolve().parents[2]
WORKERS, THREADS = 2, 16
NEWS_EVERY = 30.0
#: Seconds that the traffic may take to end beside what a visitor waits for an answer.
LEAVING = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    history: bool
    empty: bool
    rhythm: bool
    traffic: float
    pace: float
    patience: float
    seconds: float | None
    fault: list[str]
    port: int
    fresh: bool
    exporters: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The demo's directory and addresses."""

    directory: Path
    port: int
    profiles: int
    #: Where to look for what is sent elsewhere, by what it is.
    exporters: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The site's address without a slash at its end."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def summary(self) -> Path:
        """What the visitors have counted."""
        return self.directory / "traffic.json"

    @property
    def faults(self) -> Path:
        """The switches."""
        return self.directory / "faults.json"

    def environment(self) -> dict[str, str]:
        """Return the environment of all processes."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "example_project.settings",
            "EXAMPLE_DEMO": "1",
            "EXAMPLE_DIR": str(self.directory),
            "EXAMPLE_URL": self.url,
            "EXAMPLE_PROFILES": f"http://{LOOPBACK}:{self.profiles}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONUNBUFFERED": "1",
        }


class _Stop:
    """Whether somebody wants an end: set by a signal."""

    def __init__(self) -> None:
        self.event = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        if self.event.is_set():
            # The second time somebody means it.
            raise KeyboardInterrupt
        self.event.set()


def run(options: Options) -> int:
    """Run the demo until it is told to end; return the exit status."""
    stop = _Stop()
    place = _place(options)
    family = Family(logs=place.directory / "logs", environment=place.environment())
    try:
        _start(options, place, family, stop.event)
        if not stop.event.is_set():
            print(_where(options, place), flush=True)
        broken = _watch(options, place, family, stop.event)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        _end(family)
    if broken is not None:
        print(f"The {broken.name} has ended by itself. It wrote last:\n{broken.tail()}", file=sys.stderr)
        return 1
    print(f"Ended. {_news(place)}", flush=True)
    return 0


def _place(options: Options) -> Place:
    directory = Path(os.environ.get("EXAMPLE_DIR", ROOT / ".demo")).resolve()
    if options.fresh:
        shutil.rmtree(directory, ignore_errors=True)
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    _make_key(directory / "rescue-keys")
    port = free_port(options.port)
    if port != options.port:
        print(f"Port {options.port} is taken.")
    return Place(directory=directory, port=port, profiles=free_port(0))


def _make_key(path: Path) -> None:
    """Make the key of what is kept of forms, once. A real site has it where it has its other secrets."""
    path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


def _start(options: Options, place: Place, family: Family, stop: threading.Event) -> None:
    print("Preparing the site …", flush=True)
    Switches(place.faults).clear()
    place.summary.unlink(missing_ok=True)
    _prepare(options, place.environment(), stop)
    if stop.is_set():
        return
    if options.exporters:
        found = exporters.start(place.directory, family)
        place.exporters.update(found.places)
        family.environment = {**family.environment, **found.environment()}
    family.start("importer", ["-m", "example_project.demo.importer"])
    profiles = ["--port", str(place.profiles), "--faults", str(place.faults)]
    family.start("profile service", ["-m", "example_project.profiles", *profiles])
    family.start("lock holder", ["-m", "example_project", "hold_lock"])
    server = family.start("server", _server(place.port), grace=15)
    wait_for_port(place.port, server)
    for name in options.fault:
        Switches(place.faults).turn(name, on=True)
    if options.traffic and not stop.is_set():
        pace = ["--rate", str(options.traffic), "--pace", str(options.pace), "--summary", str(place.summary)]
        pace += ["--patience", str(options.patience)]
        pace += ["--rhythm"] if options.rhythm else []
        grace = options.patience + LEAVING
        family.start("visitors", ["-m", "example_project.traffic", place.url, *pace], grace=grace)


def _prepare(options: Options, environment: Mapping[str, str], stop: threading.Event) -> None:
    command = [
        sys.executable,
        "-m",
        "example_project",
        "prepare",
        *(["--history"] if options.history else []),
        *(["--empty"] if options.empty else []),
    ]
    # In our own process group: a Ctrl-C at this moment is for both.
    status = subprocess.run(command, env=dict(environment), check=False).returncode
    if status and not stop.is_set():
        raise RuntimeError("The site could not be prepared.")


def _server(port: int) -> list[str]:
    if find_spec("gunicorn") is None:
        print("gunicorn is not installed (pip install 'django-qaprod[demo]'): Django's own server it is.")
        return ["-m", "example_project", "runserver", f"{LOOPBACK}:{port}", "--noreload"]
    return [
        *("-m", "gunicorn", "example_project.wsgi", "--bind", f"{LOOPBACK}:{port}"),
        *("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS)),
        *("--graceful-timeout", "10", "--log-level", "warning"),
    ]


def _watch(options: Options, place: Place, family: Family, stop: threading.Event) -> Child | None:
    """Wait for the end; return the process that has ended by itself, if one has."""
    begun = told = time.monotonic()
    while not stop.wait(0.2):
        now = time.monotonic()
        ended = next((child for child in family.children if child.ended), None)
        if ended is not None:
            return ended
        if options.seconds is not None and now - begun >= options.seconds:
            break
        if now - told >= NEWS_EVERY and options.traffic:
            print(_news(place), flush=True)
            told = now
    return None


def _end(family: Family) -> None:
    try:
        family.end()
    except KeyboardInterrupt:
        # Not in order, then.
        family.kill()


def _where(options: Options, place: Place) -> str:
    admin = f"{place.url}/admin"
    visitors = "visitors are coming" if options.traffic else "nobody comes by itself (--traffic 2)"
    faults = f"  Broken already  {', '.join(options.fault)}\n" if options.fault else ""
    sent = "".join(f"    {name:13} {where}\n" for name, where in place.exporters.items())
    elsewhere = f"  Sent elsewhere\n{sent}" if sent else ""
    return f"""
  Classroom Jobs is open, and {visitors}.

  The site        {place.url}/
  Break something {place.url}/chaos/
  Who was told    {place.url}/chaos/told/
  The admin       {admin}/    user {STAFF}, password {STAFF_PASSWORD}
    alerts        {admin}/qaprod/alert/
    failures      {admin}/qaprod/failure/
    journeys      {admin}/qaprod/journeypage/
    requests      {admin}/qaprod/requestpage/
    gauges        {admin}/qaprod/gaugepage/
    to replay     {admin}/qaprod/rescuedsubmission/
{faults}{elsewhere}
  Logs, e-mails and databases are in {_short(place.directory)}. Ctrl-C ends everything.
"""


def _short(path: Path) -> str:
    try:
        return f"{path.relative_to(Path.cwd())}/"
    except ValueError:
        return f"{path}/"


def _news(place: Place) -> str:
    try:
        counted = json.loads(place.summary.read_text())
    except (OSError, ValueError):
        return "No visitors yet."
    visits = sum(counted.get("visits", {}).values())
    kept = len(counted["confirmed"]["references"])
    return (
        f"{_number(visits, 'visitor')}: {_number(counted['starts_accepted'], 'application')} started, "
        f"{counted['submissions_accepted']} submitted, {kept} kept for later; "
        f"{_number(counted['error_pages'], 'error page')}."
    )


def _number(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
