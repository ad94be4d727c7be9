"""The databases as a process sees them that serves requests: the telemetry's own only where it is open.

Three times a request Django goes through all aliases for the connections that this thread has: it clears
their queries and closes the old ones. An alias that the thread never used costs 13,000 instructions each
time, because asgiref's ``Local`` raises and catches three exceptions before it knows; counting the request
costs less than that. Hardly any request needs our alias. So from the first request on it is found by its name
as ever, and listed to those threads alone that have it open.
"""

from __future__ import annotations

import threading
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import request_started
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from . import conf

_ALIAS = conf.SQLITE_TELEMETRY_ALIAS
_UID = "qaprod.databases"

Database = dict[str, Any]


class _NeverOpened:
    connection = None


class _Thread(threading.local):
    #: Django's wrapper, of which each thread has one; its ``connection`` is ``None`` while it is closed.
    own: BaseDatabaseWrapper | _NeverOpened = _NeverOpened()


_thread = _Thread()


class ServedDatabases(dict[str, Database]):
    """``DATABASES`` of a process that serves: lists the telemetry's own only to threads that have it open."""

    def __init__(self, databases: dict[str, Database]) -> None:
        super().__init__(databases)
        self._own = self.pop(_ALIAS)

    def __missing__(self, alias: str) -> Database:
        if alias == _ALIAS:
            return self._own
        raise KeyError(alias)

    def __contains__(self, alias: object) -> bool:
        return alias == _ALIAS or super().__contains__(alias)

    def get(self, alias: str, default: Any = None) -> Any:
        """Return the settings of a database, whether it is listed or not."""
        return self._own if alias == _ALIAS else super().get(alias, default)

    # Called several times a request: the condition is repeated because a function would cost as much again.
    def __iter__(self) -> Iterator[str]:
        return iter(super().keys() if _thread.own.connection is None else self._all())

    def __len__(self) -> int:
        return super().__len__() + (_thread.own.connection is not None)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return the aliases that are listed in this thread."""
        return super().keys() if _thread.own.connection is None else self._all().keys()

    def values(self) -> ValuesView[Database]:  # type: ignore[override]
        """Return the settings of the aliases that are listed in this thread."""
        return super().values() if _thread.own.connection is None else self._all().values()

    def items(self) -> ItemsView[str, Database]:  # type: ignore[override]
        """Return the aliases that are listed in this thread, with their settings."""
        return super().items() if _thread.own.connection is None else self._all().items()

    def _all(self) -> dict[str, Database]:
        return {**dict(super().items()), _ALIAS: self._own}


def add_own(database: Database) -> None:
    """Add the telemetry's own database to those of the host."""
    connections.settings[_ALIAS] = django_settings.DATABASES[_ALIAS] = database
    connection_created.connect(_note, dispatch_uid=_UID)
    request_started.connect(_begin_to_serve, dispatch_uid=_UID)


def _note(*, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if connection.alias == _ALIAS:
        _thread.own = connection


def _begin_to_serve(**kwargs: object) -> None:
    # Commands and test runs see everything as it is; so does DEBUG, where toolbars look at every connection.
    if conf.in_test_run():
        return
    request_started.disconnect(dispatch_uid=_UID)
    if not django_settings.DEBUG and not isinstance(connections.settings, ServedDatabases):
        # One object, as without us: a host may add a database to either.
        connections.settings = django_settings.DATABASES = ServedDatabases(connections.settings)
