"""The doctor: looks at every part of an installation and says what is on, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from django.conf import settings as django_settings
from django.db import Error

from . import carrying, installed, rescue, telling, working
from .findings import Finding, Level, error, words
from .sending import send_test
from .telling import send_tests

__all__ = ["Finding", "Level", "examine", "send_test", "send_tests"]

_Look: TypeAlias = Callable[[], Iterable[Finding]]

_PARTS: dict[str, _Look] = {
    "middleware": installed.middleware,
    "logs": installed.logs,
    "spool": carrying.of_spool,
    "sinks": carrying.of_sinks,
    "tables": installed.tables,
    "worker": working.of_worker,
    "gauges": working.of_gauges,
    # Apart, so that the files are seen with the database dead.
    "rescue": rescue.of_keys_and_files,
    "submissions": rescue.of_submissions,
    "channels": telling.of_channels,
    "inside": working.of_troubles,
}


def examine(*, deploy: bool = False) -> list[Finding]:
    """Look at every part. Raises no error: a part that cannot be looked at is a finding.

    What concerns production alone is left out where ``DEBUG`` is on, unless ``deploy``.
    """
    settings = partial(installed.settings, deploy=deploy or not django_settings.DEBUG)
    parts: dict[str, _Look] = {"settings": settings, **_PARTS}
    return [finding for part, look in parts.items() for finding in _look(part, look)]


def _look(part: str, look: _Look) -> list[Finding]:
    found: list[Finding] = []
    try:
        # One by one: what was found before it fails is said.
        for finding in look():
            found.append(finding)  # noqa: PERF402
    except Error as problem:
        found.append(
            error(part, f"The database cannot be asked: {words(problem)}", "Is it up, and migrated?")
        )
    except Exception as problem:  # noqa: BLE001 - it is asked about what is broken, in whatever way
        found.append(error(part, f"It cannot be looked at: {words(problem)}"))
    return found
