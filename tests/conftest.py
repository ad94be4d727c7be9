"""What every test has: the database chosen by ``QAPROD_TEST_DB``, real servers, a browser.

A part that a machine does not have skips the tests that need it, with the reason; where CI is set, it
fails them.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from django_qaprod.pipeline import guard
from tests.servers import Postgres, postgres_missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pytest_django import DjangoDbBlocker

_DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server", "admin_client"}
_suite_server = pytest.StashKey[Postgres]()

# A busy machine is no error of the code under test. In CI Hypothesis has a profile of its own, which repeats.
hypothesis.settings.register_profile(
    "suite",
    hypothesis.settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """Start the suite's PostgreSQL on the port that the settings chose; xdist's workers share it."""
    # As Ctrl-C does: what was started is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if _on_postgres() and not hasattr(config, "workerinput"):
        if missing := postgres_missing():
            raise pytest.UsageError(f"QAPROD_TEST_DB=postgres, but there is no {missing}")
        server = Postgres(port=int(settings.DATABASES["default"]["PORT"]))
        config.stash[_suite_server] = server
        server.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop it, after failures too."""
    if server := config.stash.get(_suite_server, None):
        server.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL run what touches the suite's database; the rest would only be run twice."""
    if _on_postgres():
        chosen = [item for item in items if _uses_database(item)]
        config.hook.pytest_deselected(items=[item for item in items if not _uses_database(item)])
        items[:] = chosen
    items[:] = _dealt(items, workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, a test whose part is missing on this machine."""
    missing = ""
    if item.get_closest_marker("browser") and not _chromium():
        missing = "chromium"
    elif item.get_closest_marker("postgres"):
        missing = postgres_missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"missing: {missing}", pytrace=False)
    elif missing:
        pytest.skip(f"missing: {missing}")


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    """What an earlier test made the package swallow is not this one's."""
    guard.take()


@pytest.fixture(scope="session")
def _own_postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def postgres(_own_postgres: Postgres) -> Postgres:
    """A PostgreSQL apart from the suite's, which a test may stop or kill; it runs again for the next test."""
    if not _own_postgres.running:
        _own_postgres.restart()
    return _own_postgres


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """End what still looks at the test database, or PostgreSQL would not drop it.

    A browser keeps its connections to a live server, whose threads keep theirs to the database.
    """
    yield
    if _on_postgres():
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, driven by Playwright. By module: a test with a loop of its own could not run beside it."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    # Playwright's loop runs in this thread, where Django would refuse to touch the database.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(executable_path=_chromium(), args=arguments)
        yield chromium
        chromium.close()


def _dealt(items: list[pytest.Item], *, workers: int) -> list[pytest.Item]:
    """Return the tests in such an order that each worker begins with its share of the slow ones.

    ``worksteal`` gives each worker a stretch of the same length, and lets who is done take from the others:
    what is left by then should be short. The slow tests of a module share servers, and stay together.
    """
    quick, modules = [], defaultdict[str, list[pytest.Item]](list)
    for item in items:
        slow = item.get_closest_marker("slow") is not None
        (modules[item.nodeid.partition("::")[0]] if slow else quick).append(item)
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for module in sorted(modules.values(), key=len, reverse=True):
        min(hands, key=len).extend(module)
    found: list[pytest.Item] = []
    for number, hand in enumerate(hands, 1):
        found += hand
        room = max(len(items) * number // workers - len(found), 0)
        found += quick[:room]
        del quick[:room]
    return found


def _on_postgres() -> bool:
    return os.environ.get("QAPROD_TEST_DB") == "postgres"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _uses_database(item: pytest.Item) -> bool:
    test_class = getattr(item, "cls", None)
    return (
        item.get_closest_marker("django_db") is not None
        or not _DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        or (test_class is not None and issubclass(test_class, TransactionTestCase))
    )
