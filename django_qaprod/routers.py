"""Where the tables live: business facts with the business, telemetry in a database that may be another.

On SQLite a write of ours between a host's read and its write makes the host fail at once with "database is
locked". So there the telemetry has a file of its own beside the host's, under the alias ``qaprod``, which
the app registers and migrates by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db import connections, router
from django.db.models import Model

from . import conf, databases

_APP = "qaprod"
_BUSINESS_FACTS = frozenset(
    {"event", "eventkey", "journeypage", "rescuedsubmission", "submissionact", "submissionversion"}
)
_MEMORY = ":memory:"


class TelemetryRouter:
    """Send our tables to their databases and keep other apps out of the telemetry's own file."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Return the alias of one of our models."""
        if model._meta.app_label != _APP:
            return None
        return _home(model._meta.model_name or "")

    db_for_write = db_for_read

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        """Allow each of our tables in its home alone, and nothing else in the telemetry's own file."""
        if app_label == _APP:
            return db == _home(model_name) if model_name else None
        return False if db == conf.SQLITE_TELEMETRY_ALIAS and _is_ours(db) else None


def install() -> None:
    """Register the router, and on SQLite the telemetry's own file. Touches no database."""
    if conf.settings().database is None:
        _register_sqlite_file()
    if not any(isinstance(known, TelemetryRouter) for known in router.routers):
        router.routers.insert(0, TelemetryRouter())


def migrate_own_file(*, sender: AppConfig, using: str, verbosity: int = 1, **kwargs: Any) -> None:
    """Migrate the telemetry's own file after the events' database (a ``post_migrate`` receiver)."""
    alias = conf.telemetry_alias()
    if using != conf.events_alias() or not _is_ours(alias) or conf.in_test_run():
        return
    from django.core.management import call_command

    call_command(
        "migrate", "qaprod", database=alias, verbosity=verbosity, interactive=False, skip_checks=True
    )


def _home(model_name: str) -> str:
    return conf.events_alias() if model_name in _BUSINESS_FACTS else conf.telemetry_alias()


def _is_ours(alias: str) -> bool:
    return bool(connections.settings.get(alias, {}).get(_APP))


def _register_sqlite_file() -> None:
    host = connections.settings.get(conf.events_alias(), {})
    if (
        host.get("ENGINE") != "django.db.backends.sqlite3"
        or conf.SQLITE_TELEMETRY_ALIAS in connections.settings
    ):
        return
    database = {
        **host,
        "NAME": _beside(host["NAME"]),
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            "timeout": 10,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
        # Without migrations the host's test run gets its tables in one go.
        "TEST": {**host.get("TEST", {}), "NAME": None, "MIRROR": None, "MIGRATE": False, "DEPENDENCIES": []},
        _APP: True,
    }
    databases.add_own(database)


def _beside(name: object) -> str:
    text = str(name)
    if _MEMORY in text or "mode=memory" in text or not text:
        return _MEMORY
    path = Path(text)
    return str(path.with_name(f"{path.stem}-qaprod{path.suffix}"))
