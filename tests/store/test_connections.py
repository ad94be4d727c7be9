"""A thread of ours keeps its connections for a while; in every other thread they are the host's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from django.db import OperationalError
from django.db import connections as django_connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from django_qaprod.store import connections


@pytest.fixture
def connection(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[BaseDatabaseWrapper]:
    """A database of its own: a test's transaction would be left alone, and one in memory is never closed."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    configured = django_connections.configure_settings({"default": {}, "scratch": database})
    django_connections.settings["scratch"] = configured["scratch"]
    found = django_connections["scratch"]
    with django_db_blocker.unblock():
        yield found
        found.close()
    del django_connections["scratch"]
    del django_connections.settings["scratch"]


def ask(connection: BaseDatabaseWrapper) -> object:
    """Use the connection; return what Django would open anew if it had been closed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.connection


def test_it_stays_open_between_two_passes_and_no_longer_than_the_thread_works(
    connection: BaseDatabaseWrapper,
) -> None:
    with connections.kept():
        opened = ask(connection)
        connections.close_old()
        assert ask(connection) is opened
    assert connection.connection is None


def test_other_threads_close_what_the_host_wants_closed(connection: BaseDatabaseWrapper) -> None:
    ask(connection)
    connections.close_old()
    assert connection.connection is None


def test_it_is_opened_anew_now_and_then(
    connection: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connections.kept():
        opened = ask(connection)
        monkeypatch.setattr(connections, "monotonic", lambda: monotonic() + connections.KEPT_FOR)
        connections.close_old()
        assert connection.connection is None
        assert ask(connection) is not opened


def test_one_that_broke_meanwhile_is_replaced_before_anything_fails(
    connection: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connections.kept():
        opened = ask(connection)
        connections.close_old()
        monkeypatch.setattr(connection, "is_usable", lambda: False)
        assert ask(connection) is not opened


def test_one_on_which_something_failed_is_closed_unless_it_works(
    connection: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connections.kept():
        ask(connection)
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM nowhere")
        monkeypatch.setattr(connection, "is_usable", lambda: False)
        connections.close_old()
        assert connection.connection is None


def test_a_pool_gets_its_connection_back(connection: BaseDatabaseWrapper) -> None:
    with connections.kept():
        ask(connection)
        connection.settings_dict["OPTIONS"]["pool"] = True
        connections.close_old()
        assert connection.connection is None
