"""A ``LOGGING`` to begin with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import NoneType
from typing import Any, Final, Literal

from ..exceptions import DeclarationError

_FORMATTERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "json": {"()": "django_qaprod.logs.JSONFormatter", "fields": "otel"},
    "ecs": {"()": "django_qaprod.logs.JSONFormatter", "fields": "ecs"},
    "keyvalue": {"()": "django_qaprod.logs.KeyValueFormatter"},
    "console": {"()": "django_qaprod.logs.ConsoleFormatter"},
}
_INHERITING: Final = {"handlers": [], "propagate": True}
# Their own handlers would write lines of another kind in between. ``granian`` is ``_granian``.
_SERVERS: Final = ("gunicorn.error", "uvicorn", "uvicorn.error", "_granian")
_ACCESS_LOGS: Final = ("gunicorn.access", "uvicorn.access", "granian.access")


def logging_config(
    *,
    level: str | int = "INFO",
    format: Literal["json", "ecs", "keyvalue", "console"] = "json",  # noqa: A002 - the word for it
    resource: Mapping[str, str | None] | None = None,
    servers: bool = False,
    mail_admins: bool = False,
) -> dict[str, Any]:
    """Return a ``LOGGING`` that writes one line for each record to standard output.

    ``level`` is that of the project's loggers. ``resource`` are fields of every line, but for those that are
    ``None``. With ``servers`` the lines of gunicorn, uvicorn and granian go the same way, but for their
    access logs. With ``mail_admins`` Django mails errors to ``ADMINS``, as it does without a ``LOGGING``.
    What is returned is plain data, and may be changed.

    Raises ``DeclarationError`` for a format or a level that there is not, and a resource that is not text.
    """
    chosen("format", format, _FORMATTERS)
    if not isinstance(level, int) or isinstance(level, bool):
        chosen("level", level, logging.getLevelNamesMapping())
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {**_FORMATTERS[format], "resource": text_by_name(resource)}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}
        },
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": _loggers(by_hand=format == "console"),
    }
    if servers:
        config["loggers"] |= {name: {**_INHERITING, "level": "INFO"} for name in _SERVERS}
        # Their lines have addresses and paths in them.
        config["loggers"] |= {name: {**_INHERITING, "level": "WARNING"} for name in _ACCESS_LOGS}
    if mail_admins:
        config["filters"] = {"in_production": {"()": "django.utils.log.RequireDebugFalse"}}
        config["handlers"]["mail_admins"] = {
            "class": "django.utils.log.AdminEmailHandler",
            "level": "ERROR",
            "filters": ["in_production"],
        }
        config["loggers"]["django"]["handlers"] = ["mail_admins"]
    return config


def chosen(argument: str, value: object, known: Mapping[str, object]) -> None:
    """Raise ``DeclarationError`` unless the value of an argument is one of the known ones."""
    if not isinstance(value, str) or value not in known:
        raise DeclarationError(f"{argument} is one of {', '.join(map(repr, known))}, not {value!r}.")


def text_by_name(resource: object) -> dict[str, str]:
    """Return the fields of every line, without those that are ``None``: a variable may not be set.

    Raises ``DeclarationError`` for what is no text under a name.
    """
    if resource is None:
        return {}
    if not isinstance(resource, Mapping):
        raise DeclarationError(
            f"resource is a dict, such as {{'service.name': 'jobs'}}, not {type(resource).__name__}."
        )
    for name, value in resource.items():
        if not (isinstance(name, str) and isinstance(value, (str, NoneType))):
            raise DeclarationError(
                f"resource is a dict of text to text, so its {name!r} cannot be {value!r}. Leave it out, or "
                "write it as text."
            )
    return {name: value for name, value in resource.items() if value is not None}


def _loggers(*, by_hand: bool) -> dict[str, dict[str, Any]]:
    """Return the levels that keep ERROR for what is broken here, and not by who asks."""
    return {
        "django": {**_INHERITING, "level": "INFO"},
        # 4xx is WARNING here: requests are counted by status, and can be logged each.
        "django.request": {"level": "ERROR"},
        # ERROR for each scanner that makes up a name of the host.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # Statements with their parameters, in DEBUG.
        "django.db.backends": {"level": "INFO"},
        # The development server's lines; its ERROR is said by ``django.request``.
        "django.server": {**_INHERITING, "level": "INFO" if by_hand else "CRITICAL"},
        # What was asked for by QAPROD is written whatever the level of the rest.
        "qaprod": {"level": "INFO"},
        # Our own troubles. Not to handlers that others add to the root: one that fails would make new ones.
        "django_qaprod": {"level": "WARNING", "handlers": ["stdout"], "propagate": False},
    }
