"""Where records come from: requests, exceptions, logs, commands and tasks."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from ..conf import settings, sink_paths


def install() -> None:
    """Connect the receivers. Called by ``AppConfig.ready()``; may be called again."""
    from . import commands, logging, signals, tasks

    signals.install()
    logging.install()
    commands.install()
    tasks.install()
    if settings().flags:
        from . import flags

        flags.install()
    # The database's sink has the events themselves.
    if len(sink_paths()) > 1:
        from . import steps

        steps.install()
    if settings().log_requests:
        from ..logs import requests

        requests.install()
    if settings().log_steps:
        from ..logs import steps as logged_steps

        logged_steps.install()


@cache
def failures() -> ModuleType:
    """Return the module that reports failures.

    It is not imported at every start of the host, and an import statement would cost something at each error;
    ``process`` imports it before there is one, if it can.
    """
    from ..pipeline import failures

    return failures
