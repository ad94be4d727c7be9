"""What a team has already, as far as this machine has it: daemons that the site sends to (``--exporters``).

``scripts/peers`` installs them. What is missing is left out, and named.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .processes import LOOPBACK, Family, free_port, wait_for_port

PEERS = Path(__file__).resolve().parents[2] / ".peers"
#: The key of the project that failures go to, and who sees them.
SENTRY_KEY = "0f8e7d6c5b4a39281706f5e4d3c2b1a0"
SENTRY_USER, SENTRY_PASSWORD = "staff@classroom-jobs.example", "staff"
SERVICE = "classroom-jobs"

_PROJECT = f"""
from django.contrib.auth import get_user_model
from projects.models import Project
users = get_user_model().objects
if not users.filter(username={SENTRY_USER!r}).exists():
    users.create_superuser({SENTRY_USER!r}, password={SENTRY_PASSWORD!r})
Project.objects.get_or_create(pk=1, defaults=dict(name="Classroom Jobs", sentry_key={SENTRY_KEY!r}))
"""


@dataclass(slots=True, kw_only=True)
class Exporters:
    """What was started: keys of ``QAPROD``, variables of the site's processes, and where to look."""

    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return what the site's processes have to know."""
        return {**self.variables, "EXAMPLE_EXPORTERS": json.dumps(self.settings)}


def start(directory: Path, family: Family) -> Exporters:
    """Start what there is; each daemon listens on a free port of the loopback interface."""
    found = Exporters(places={"log": str(directory / "logs" / "server.log")})
    for begin in (_statsd, _opentelemetry, _sentry):
        if missing := begin(directory, family, found):
            print(f"{missing}.", flush=True)
    return found


def _statsd(directory: Path, family: Family, found: Exporters) -> str:
    program, node = PEERS / "statsd/node_modules/statsd/stats.js", shutil.which("node")
    if node is None or not program.exists():
        return "StatsD is left out: run scripts/peers/statsd"
    port, management = free_port(0), free_port(0)
    config: dict[str, Any] = {
        "port": port,
        "address": LOOPBACK,
        "mgmt_port": management,
        "mgmt_address": LOOPBACK,
    }
    # Nothing is forwarded, so that the counters grow from the start on.
    config |= {"flushInterval": 3_600_000, "backends": []}
    (directory / "statsd.json").write_text(json.dumps(config))
    daemon = family.start("statsd", ["--no-warnings", str(program), str(directory / "statsd.json")], by=node)
    wait_for_port(management, daemon)
    found.settings["STATSD"] = {"PORT": port, "PREFIX": SERVICE}
    found.places["StatsD"] = f"(echo counters; sleep 1) | nc {LOOPBACK} {management}"
    return ""


def _opentelemetry(directory: Path, family: Family, found: Exporters) -> str:
    if find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        return "OpenTelemetry is left out: pip install 'django-qaprod[otlp]'"
    port, spans = free_port(0), directory / "spans.jsonl"
    spans.unlink(missing_ok=True)
    receiver = ["-m", "example_project.demo.spans", "--port", str(port), "--into", str(spans)]
    wait_for_port(port, family.start("spans", receiver))
    found.settings["OPENTELEMETRY"] = {}
    found.variables |= {
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{LOOPBACK}:{port}/v1/traces",
        "OTEL_METRICS_EXPORTER": "none",
    }
    found.places["spans"] = str(spans)
    return _metrics(directory, family, found)


def _metrics(directory: Path, family: Family, found: Exporters) -> str:
    program = PEERS / "victoriametrics" / "victoria-metrics"
    if not program.exists():
        return "VictoriaMetrics, and with it metrics by OTLP, are left out: run scripts/peers/victoriametrics"
    port = free_port(0)
    options = [
        f"-httpListenAddr={LOOPBACK}:{port}",
        f"-storageDataPath={directory / 'metrics'}",
        "-opentelemetry.usePrometheusNaming=true",
    ]
    wait_for_port(port, family.start("metrics", options, by=str(program)))
    found.variables |= {
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://{LOOPBACK}:{port}/opentelemetry/v1/metrics",
    }
    found.places["metrics"] = f"http://{LOOPBACK}:{port}/vmui/"
    return ""


def _sentry(directory: Path, family: Family, found: Exporters) -> str:
    programs, home = PEERS / "bugsink" / "bin", directory / "bugsink"
    if not (programs / "bugsink-manage").exists():
        return "Sentry's peer, Bugsink, is left out: run scripts/peers/bugsink"
    port = free_port(8765)
    home.mkdir(exist_ok=True)
    (home / "bugsink_conf.py").unlink(missing_ok=True)
    # It is a Django project, too, but not ours.
    environment = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    create: list[str | Path] = [programs / "bugsink-create-conf", "--template", "local"]
    manage = programs / "bugsink-manage"
    commands: list[list[str | Path]] = [
        [*create, "--host", LOOPBACK, "--port", str(port)],
        [manage, "migrate", "--verbosity", "0"],
        [manage, "migrate", "--database=snappea", "--verbosity", "0"],
        [manage, "shell", "--command", _PROJECT],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"Bugsink is left out: it could not be prepared: {done.stderr[-300:]}"
    serve = ["bugsink.wsgi", "--bind", f"{LOOPBACK}:{port}", "--threads", "4", "--chdir", str(home)]
    wait_for_port(
        port, family.start("bugsink", serve, by=str(programs / "gunicorn"), environment=environment)
    )
    found.settings["SENTRY"] = {
        "DSN": f"http://{SENTRY_KEY}@{LOOPBACK}:{port}/1",
        "EVENT_URL": f"http://{LOOPBACK}:{port}/issues/event/{{event_uuid}}/",
    }
    found.places["Sentry's peer"] = (
        f"http://{LOOPBACK}:{port}/  user {SENTRY_USER}, password {SENTRY_PASSWORD}"
    )
    return ""
