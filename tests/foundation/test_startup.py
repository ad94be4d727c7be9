"""A start imports what a server needs to answer, and nothing else: each host pays for it in each process."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

# Of a host with the admin, a journey and a ``degrade``, after its first response. What is not here is
# imported by the first page, by the process's thread or by the command that needs it.
AT_START = {
    "admin", "admin.alert_page", "admin.alerts", "admin.breaches", "admin.careful", "admin.channels",
    "admin.deploys", "admin.events", "admin.failure_page", "admin.failures", "admin.filters",
    "admin.notifications", "admin.pages", "admin.permissions", "admin.rules", "admin.silences",
    "admin.submission_acts", "admin.submission_filters", "admin.submission_page", "admin.submission_views",
    "admin.submissions",
    "alerts", "apps", "browser",
    "capture", "capture.commands", "capture.logging", "capture.middleware", "capture.signals",
    "capture.streams", "capture.tasks",
    "clock", "conf", "context", "dashboard", "dashboard.words",
    "databases",
    "degradation", "degradation.breaker", "degradation.criticality", "degradation.declaration",
    "degradation.degrading", "degradation.fallback", "degradation.savepoints", "exceptions", "forms",
    "gauges", "gauges.open_connections",
    "journeys", "journeys.journey", "journeys.keys", "journeys.properties", "journeys.recording",
    "journeys.step", "journeys.unknown",
    "models", "models.bookkeeping", "models.deploys", "models.events",
    "models.alerts", "models.expectations", "models.failures", "models.numbers", "models.outbox",
    "models.pages", "models.submissions", "models.transitions",
    "pipeline", "pipeline.filelock", "pipeline.guard", "pipeline.hooks", "pipeline.messages",
    "pipeline.numbers", "pipeline.process", "pipeline.threads",
    "registry", "routers", "store", "store.connections", "store.events", "templatetags",
    "templatetags.qaprod", "text", "worker",
}  # fmt: skip

# And where views have ``serve_form``, after a POST that went well. What a visitor is served when it does not,
# what keeps a submission and what replays it come when they are needed.
SERVING = {
    "forms.answers", "forms.call", "forms.confirmed", "forms.mixin", "forms.options", "forms.outage",
    "forms.quiet", "forms.serving", "forms.transactions",
}  # fmt: skip

PRELUDE = """
import io, json, os, sys, time
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {name!r}}}}},
    INSTALLED_APPS=[
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
        "django.contrib.messages", "django.contrib.sessions", "django_qaprod", "an_app",
    ],
    LOGGING_CONFIG=None,
    QAPROD={{"SPOOL_DIR": {spool!r}, "SINKS": []}},
    ROOT_URLCONF={urls!r},
    SECRET_KEY="x",
)
import django
django.setup()
from django.core.handlers.wsgi import WSGIHandler
from django_qaprod.pipeline import hooks, process

handler = WSGIHandler()

def get(path, method="GET", body=b""):
    environ = {{
        "REQUEST_METHOD": method, "PATH_INFO": path, "SERVER_NAME": "x", "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.url_scheme": "http",
    }}
    statuses = []
    handler(environ, lambda status, headers: statuses.append(int(status[:3]))).close()
    return statuses[0]

def imported(package="django_qaprod"):
    return sorted(name for name in sys.modules if name.partition(".")[0] == package)

def answer(data):
    print(json.dumps(data), flush=True)
    os._exit(0)
"""

URLS = """
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

def broken(request):
    raise LookupError("no school")

urlpatterns = [
    path("plain/", lambda request: HttpResponse("ok")),
    path("broken/", broken),
    path("admin/", admin.site.urls),
]
"""

FORMS = """
from django import forms
from django.http import HttpResponseRedirect
from django.urls import path
from django.views.generic import FormView
from django_qaprod import ServeFormMixin, serve_form
from an_app.urls import urlpatterns

class NameForm(forms.Form):
    name = forms.CharField()

@serve_form(NameForm)
def apply(request):
    return HttpResponseRedirect("/plain/" + request.POST.get("name", ""))

class Apply(ServeFormMixin, FormView):
    form_class = NameForm
    success_url = "/plain/"

urlpatterns = [*urlpatterns, path("apply/", apply), path("class/", Apply.as_view())]
"""

JOURNEY = """
from django_qaprod import Journey, Step, degrade

class JobApplication(Journey):
    submitted = Step()

@degrade(fallback=())
def schools():
    return ()
"""


def run(directory: Path, script: str, *, urls: str = "an_app.urls") -> Any:
    """Run a script in a host that has started; return its answer."""
    (directory / "an_app").mkdir()
    for name, text in (("__init__", ""), ("urls", URLS), ("forms", FORMS), ("qaprod", JOURNEY)):
        (directory / "an_app" / f"{name}.py").write_text(text)
    prelude = PRELUDE.format(name=str(directory / "db.sqlite3"), spool=str(directory / "spool"), urls=urls)
    done = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(script)],
        cwd=directory,
        check=True,
        stdout=subprocess.PIPE,
        timeout=600,
    )
    return json.loads(done.stdout)


def test_a_start_imports_only_what_the_first_response_needs(tmp_path: Path) -> None:
    script = """
    process.IMPORT_AFTER = 60
    get("/plain/")
    assert process.status().thread_alive
    answer(imported())
    """
    modules = {name.partition(".")[2] for name in run(tmp_path, script)} - {""}
    assert modules - AT_START == set()
    assert AT_START - modules == set(), "the list says more than is true"


def test_forms_that_go_well_import_nothing_of_what_serves_them_when_they_do_not(tmp_path: Path) -> None:
    script = """
    process.IMPORT_AFTER = 60
    statuses = [get("/apply/")]
    statuses += [get(path, "POST", b"name=Ada") for path in ("/apply/", "/class/")]
    answer({"statuses": statuses, "ours": imported(), "cryptography": imported("cryptography")})
    """
    found = run(tmp_path, script, urls="an_app.forms")
    assert found["statuses"] == [302, 302, 302]
    modules = {name.partition(".")[2] for name in found["ours"]} - {""}
    assert modules - AT_START == SERVING
    assert found["cryptography"] == []


def test_the_first_failure_imports_nothing_once_the_thread_has_begun(tmp_path: Path) -> None:
    script = """
    process.IMPORT_AFTER = 0
    hooks.neighbours.clear()  # the worker has imports of its own
    passes = []
    hooks.companions.append(passes.append)  # the last of what is called at a pass of the drainer
    get("/plain/")
    end = time.monotonic() + 60
    while not passes and time.monotonic() < end:
        time.sleep(0.01)
    before = set(imported())
    get("/broken/")
    segments = [path.read_text() for path in process._state.spool.path.iterdir() if path.suffix != ".lock"]
    answer({"new": sorted(set(imported()) - before), "kept": any("LookupError" in text for text in segments)})
    """
    assert run(tmp_path, script) == {"new": [], "kept": True}
