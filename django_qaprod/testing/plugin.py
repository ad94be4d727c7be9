"""The pytest plugin. Loaded into every run where we are installed, so it imports nothing but pytest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Records, Store

_STORE = "qaprod_store"


@pytest.fixture
def qaprod_records() -> Iterator[Records]:
    """Collect what is recorded while the test runs: ``.failures``, ``.events``, ``.requests``."""
    from . import capture_records

    with capture_records() as records:
        yield records


@pytest.fixture
def qaprod_store() -> Iterator[Store]:
    """Record into the test database; ``.drain()`` stores. The test gets the databases that this takes."""
    from . import store_records

    with store_records() as store:
        yield store


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give tests with ``qaprod_store`` the databases of events and telemetry, through pytest-django."""
    if config.pluginmanager.hasplugin("django"):
        for item in items:
            if _STORE in getattr(item, "fixturenames", ()):
                item.add_marker(_with_our_databases(item.get_closest_marker("django_db")), append=False)


def _with_our_databases(marker: pytest.Mark | None) -> pytest.MarkDecorator:
    from ..conf import events_alias, telemetry_alias

    options = dict(marker.kwargs) if marker else {}
    asked = options.get("databases") or ["default"]
    if asked != "__all__":
        options["databases"] = sorted({*asked, "default", events_alias(), telemetry_alias()})
    decorator: pytest.MarkDecorator = pytest.mark.django_db
    return decorator.with_args(*(marker.args if marker else ()), **options)
