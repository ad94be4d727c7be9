"""One line in INSTALLED_APPS of a fresh project: everything is captured and nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.servers import run_server, wait_until

pytestmark = [pytest.mark.servers, pytest.mark.matrix]

VIEWS = """
from django.contrib.auth.models import User
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path
from django.contrib import admin

def hello(request): return HttpResponse("hello", headers={"X-Host": "yes"})
def users(request): return HttpResponse(str(User.objects.count()))
def boom(request): raise ValueError("a fresh project is on fire")
def gone(request): raise Http404("gone")
def moved(request): return HttpResponseRedirect("/hello/")
def stream(request): return StreamingHttpResponse([b"a", b"b", b"c"])
def file(request): return FileResponse(open(__file__, "rb"))
async def ahello(request): return HttpResponse("ahello")

urlpatterns = [path("admin/", admin.site.urls)] + [
    path(f"{view.__name__}/", view) for view in (hello, users, boom, gone, moved, stream, file, ahello)
]
"""

HOST_TESTS = """
from django.test import SimpleTestCase, TestCase

class Queries(TestCase):
    def test_a_view_makes_its_own_queries_and_no_other(self):
        with self.assertNumQueries(1):
            self.client.get("/users/")
    def test_an_error_is_the_host_s(self):
        with self.assertNumQueries(0), self.assertRaisesMessage(ValueError, "a fresh project is on fire"):
            self.client.get("/boom/")

class NoDatabase(SimpleTestCase):
    def test_a_test_without_a_database_stays_one(self):
        self.assertEqual(self.client.get("/hello/").content, b"hello")
"""

# The whole answer of the WSGI application, as a server would send it.
ASK = """
import json, django, io, sys
django.setup()
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
answers = {}
for path in ["hello", "users", "boom", "gone", "moved", "stream", "file", "ahello", "nowhere"]:
    seen = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": f"/{path}/", "SERVER_NAME": "testserver", "SERVER_PORT": "80",
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
    }
    response = application(environ, lambda status, headers: seen.append((status, headers)))
    answers[path] = [seen, b"".join(response).decode("latin-1")]
    response.close()
print(json.dumps(answers))
"""


class Project:
    """A fresh project, with the one line or without it."""

    def __init__(self, directory: Path, *, with_qaprod: bool) -> None:
        self.directory = directory
        directory.mkdir()
        self.run("-m", "django", "startproject", "fresh", ".", plain=True)
        (directory / "fresh" / "urls.py").write_text(VIEWS)
        (directory / "fresh" / "tests.py").write_text(HOST_TESTS)
        lines = ["DEBUG = False", "ALLOWED_HOSTS = ['*']"]
        if with_qaprod:
            lines.append('INSTALLED_APPS += ["django_qaprod"]')
        with (directory / "fresh" / "settings.py").open("a") as settings:
            settings.write("\n".join(["", *lines, ""]))
        self.run("manage.py", "migrate", "--verbosity", "0")

    def run(self, *arguments: str, plain: bool = False) -> str:
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TMPDIR": str(self.directory),
        }
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        if not plain:
            environment["DJANGO_SETTINGS_MODULE"] = "fresh.settings"
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ask(self, script: str) -> object:
        return json.loads(self.run("-c", textwrap.dedent(script)).splitlines()[-1])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("fresh") / "with", with_qaprod=True)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("bare") / "without", with_qaprod=False)


def test_a_raising_view_is_in_the_store_after_migrate(fresh: Project) -> None:
    with run_server(
        "gunicorn-sync",
        project=fresh.directory,
        settings="fresh.settings",
        environment={"TMPDIR": str(fresh.directory)},
    ) as server:
        assert server.get("/boom/").status == 500
        wait_until(
            lambda: fresh.ask(
                """
                import django; django.setup()
                from django_qaprod.models import Failure
                print(Failure.objects.filter(message__contains="a fresh project is on fire").count())
                """
            ),
        )


def test_responses_are_the_same_to_the_byte(fresh: Project, bare: Project) -> None:
    with_us, without_us = fresh.ask(ASK), bare.ask(ASK)
    # The file that one view sends is the same in both, but for the time at which it was written.
    assert with_us == without_us


def test_the_host_s_tests_pass_and_count_the_same_queries(fresh: Project, bare: Project) -> None:
    assert "OK" in bare.run("manage.py", "test", "fresh")
    assert "OK" in fresh.run("manage.py", "test", "fresh")


def test_checks_have_nothing_to_say(fresh: Project) -> None:
    assert "no issues" in fresh.run("manage.py", "check")
    assert "No changes detected" in fresh.run("manage.py", "makemigrations", "--check", "--dry-run")
