"""How it is installed: settings and checks, the middleware, the logs, the tables."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.db import connections, router

from .. import conf
from ..apps import TAG
from ..capture import logging as log_capture
from .findings import Finding, Level, error, ok, warning


def settings(*, deploy: bool) -> Iterator[Finding]:
    """Yield what is on, and what the system checks say."""
    chosen = conf.settings()
    if not chosen.enabled:
        yield warning("settings", "QAPROD['ENABLED'] is false: nothing is recorded.")
    elif chosen.release:
        yield ok("settings", f"On. The release is {chosen.release}.")
    else:
        yield ok("settings", "On. No release is set: QAPROD['RELEASE'] would mark deploys on the charts.")
    for message in checks.run_checks(tags=[TAG], include_deployment_checks=deploy):
        if not message.is_silenced():
            words = f"{message.id}: {message.msg}"
            yield Finding(part="settings", level=_level(message), message=words, hint=message.hint or "")


def _level(message: checks.CheckMessage) -> Level:
    if message.level >= checks.ERROR:
        return Level.ERROR
    return Level.WARNING if message.level >= checks.WARNING else Level.OK


def middleware() -> Iterator[Finding]:
    """Yield whether requests are seen, and by whom before."""
    listed = list(django_settings.MIDDLEWARE)
    if conf.MIDDLEWARE not in listed:
        yield warning(
            "middleware",
            "It is not installed: requests are not counted and degradations have no request.",
            f"List {conf.MIDDLEWARE!r} first in MIDDLEWARE, or leave QAPROD['AUTO_MIDDLEWARE'] on.",
        )
    elif listed[0] != conf.MIDDLEWARE:
        yield warning(
            "middleware", f"It is number {listed.index(conf.MIDDLEWARE) + 1}; what is before it is not seen."
        )
    else:
        yield ok("middleware", "It is the first.")


def logs() -> Iterator[Finding]:
    """Yield whether log records are seen."""
    if log_capture.logging_installed():
        yield ok("logs", "Log records of ERROR and above are failures.")
    else:
        yield warning(
            "logs",
            "Log records are not seen: something has replaced the log record factory.",
            "Whoever calls logging.setLogRecordFactory() has to call the factory that was there before.",
        )


def tables() -> Iterator[Finding]:
    """Yield whether each database has its tables."""
    wanted: dict[str, set[str]] = {}
    for model in apps.get_app_config("qaprod").get_models():
        if model._meta.proxy or not model._meta.managed:
            continue
        wanted.setdefault(router.db_for_write(model) or "default", set()).add(model._meta.db_table)
    for alias, tables in sorted(wanted.items()):
        missing = tables - set(connections[alias].introspection.table_names())
        if missing:
            yield error(
                "tables",
                f"{len(missing)} of {len(tables)} are missing in {alias!r}.",
                f"manage.py migrate --database {alias}",
            )
        else:
            yield ok("tables", f"All {len(tables)} are there in {alias!r} ({connections[alias].vendor}).")
