"""A process that serves requests pays nothing for the telemetry's own database, and loses nothing of it.

In processes of their own: in a test run, as here, the database is listed like any other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import asyncio, json, sys, threading
from pathlib import Path
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

directory, given, body = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
settings.configure(**{
    "ALLOWED_HOSTS": ["*"], "SECRET_KEY": "x", "ROOT_URLCONF": "__main__",
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": directory / "db.sqlite3"}},
    "QAPROD": {"SPOOL_DIR": directory / "spool", **given.pop("QAPROD", {})},
    "INSTALLED_APPS": ["django_qaprod", "django.contrib.admin", "django.contrib.auth",
                       "django.contrib.contenttypes", "django.contrib.messages", "django.contrib.sessions"],
    "MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware",
                   "django.contrib.auth.middleware.AuthenticationMiddleware",
                   "django.contrib.messages.middleware.MessageMiddleware"],
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                   "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                      "django.contrib.auth.context_processors.auth",
                                                      "django.contrib.messages.context_processors.messages"]}}],
    **given})
django.setup()

from django.contrib import admin
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import AsyncRequestFactory, RequestFactory

listed = []

def note(**kwargs):
    listed.append(list(connections))

def plain(request):
    note()
    return HttpResponse(b"ok")

async def aplain(request):
    note()
    return HttpResponse(b"ok")

urlpatterns = [path("", plain), path("async/", aplain), path("admin/", admin.site.urls)]
request_started.connect(note)
request_finished.connect(note)

def get(url="/", **cookies):
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    application, statuses = get_wsgi_application(), []
    environ = RequestFactory().get(url, headers={"cookie": cookie}).environ
    response = application(environ, lambda status, headers: statuses.append(status))
    b"".join(response)
    before_the_end = list(connections)
    response.close()
    return statuses[0][:3], before_the_end

def aget():
    async def serve():
        gone, scope = asyncio.Event(), AsyncRequestFactory().get("/async/").scope
        messages = [{"type": "http.request", "body": b"", "more_body": False}]
        async def receive():
            if not messages:
                await gone.wait()
            return messages.pop()
        async def send(message):
            pass
        await get_asgi_application()(scope, receive, send)
    asyncio.run(serve())

def admin_session():
    user = User.objects.create_superuser("ann")
    session = SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session.session_key

def in_thread(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]

exec(body)
print(json.dumps(answer))
"""

BOTH = ["default", "qaprod"]
HOST = ["default"]


def ask(directory: Path, body: str, **settings: Any) -> Any:
    """Return what the body's ``answer`` is in a process of a project with these settings."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(directory), json.dumps(settings), dedent(body)],
        check=True,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        timeout=600,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("request_it", ["get()", "aget()"])
def test_a_request_does_not_meet_the_alias(tmp_path: Path, request_it: str) -> None:
    """Django goes through the aliases when a request starts and when it ends."""
    first, second = ask(
        tmp_path,
        f"""
        {request_it}
        first = listed.copy()
        listed.clear()
        {request_it}
        answer = [first, listed]
        """,
    )
    # Known from the beginning of the first request on; whose first receivers are Django's.
    assert first[-2:] == [HOST, HOST]
    assert second == [HOST, HOST, HOST]


def test_a_lookup_finds_what_is_not_listed(tmp_path: Path) -> None:
    answer = ask(
        tmp_path,
        """
        get()
        known = connections.settings
        answer = {
            "connection": connections["qaprod"].alias,
            "there": ["qaprod" in known, "x" in known],
            "same": known["qaprod"] is known.get("qaprod") is settings.DATABASES["qaprod"],
            "other": known.get("x", "nothing"),
        }
        try:
            connections["x"]
        except Exception as error:
            answer["error"] = type(error).__name__
        """,
    )
    assert answer == {
        "connection": "qaprod",
        "there": [True, False],
        "same": True,
        "other": "nothing",
        "error": "ConnectionDoesNotExist",
    }


def test_a_connection_is_listed_while_it_is_open_and_closed_when_the_request_ends(tmp_path: Path) -> None:
    """Django's own ``close_old_connections`` does it."""
    answer = ask(
        tmp_path,
        """
        call_command("migrate", verbosity=0)
        connections.close_all()
        answer = {"before": get()[1], "page": get("/admin/qaprod/failure/", sessionid=admin_session())}
        answer |= {"open": connections["qaprod"].connection is not None, "after": get()[1]}
        """,
    )
    assert answer == {"before": HOST, "page": ["200", BOTH], "open": False, "after": HOST}


def test_only_the_thread_that_has_it_open_sees_it(tmp_path: Path) -> None:
    assert ask(
        tmp_path,
        """
        get()
        connections["qaprod"].ensure_connection()
        answer = [list(connections), in_thread(lambda: list(connections))]
        """,
    ) == [BOTH, HOST]


def test_threads_of_our_own_let_go_of_their_connections(tmp_path: Path) -> None:
    """The drainer and the worker close what they are done with."""
    assert ask(
        tmp_path,
        """
        from django_qaprod.store.connections import close

        def work():
            connections["qaprod"].ensure_connection()
            before = list(connections)
            close()
            return [before, connections["qaprod"].connection is None]

        get()
        answer = in_thread(work)
        """,
    ) == [BOTH, True]


def test_every_listing_tells_the_same(tmp_path: Path) -> None:
    closed, opened = ask(
        tmp_path,
        """
        def listings():
            known = connections.settings
            names = {id(known[alias]): alias for alias in ("default", "qaprod")}
            return [list(known), list(known.keys()), [alias for alias, _ in known.items()],
                    [names[id(database)] for database in known.values()], list(dict(known)), len(known)]

        get()
        answer = [listings()]
        connections["qaprod"].ensure_connection()
        answer.append(listings())
        """,
    )
    assert closed == [HOST] * 5 + [1]
    assert opened == [BOTH] * 5 + [2]


def test_a_database_that_the_host_adds_later_is_listed(tmp_path: Path) -> None:
    """Whether to the settings or to the connections: they are one object."""
    assert ask(
        tmp_path,
        """
        get()
        settings.DATABASES["tenant"] = settings.DATABASES["default"]
        answer = [list(connections), connections["tenant"].alias, settings.DATABASES is connections.settings]
        """,
    ) == [[*HOST, "tenant"], "tenant", True]


def test_commands_see_every_alias(tmp_path: Path) -> None:
    """Nothing is served there, even where the server's handler is built."""
    assert (
        ask(
            tmp_path,
            """
            get_wsgi_application()
            answer = list(connections)
            call_command("migrate", "--database=qaprod", verbosity=0)
            call_command("check", "--database=qaprod", stdout=sys.stderr)
            """,
        )
        == BOTH
    )


def test_a_test_run_sees_every_alias(tmp_path: Path) -> None:
    assert (
        ask(
            tmp_path,
            """
            from django.test.utils import setup_test_environment
            setup_test_environment()
            get()
            answer = listed
            """,
        )
        == [BOTH] * 3
    )


def test_in_debug_every_alias_is_listed(tmp_path: Path) -> None:
    """Toolbars look at every connection."""
    assert ask(tmp_path, "get(); answer = listed", DEBUG=True) == [BOTH] * 3


def test_it_is_as_cheap_where_nothing_is_recorded(tmp_path: Path) -> None:
    assert ask(tmp_path, "get(); answer = get()[1]", QAPROD={"ENABLED": False}) == HOST


def test_nothing_is_done_where_telemetry_has_a_database_of_the_host_s(tmp_path: Path) -> None:
    body = "get(); answer = [list(connections), type(connections.settings).__name__]"
    assert ask(tmp_path, body, QAPROD={"DATABASE": "default"}) == [HOST, "dict"]
