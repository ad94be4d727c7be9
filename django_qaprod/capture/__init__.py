"""Where records come from: requests, exceptions, logs, commands and tasks."""

from __future__ import annotations


def install() -> None:
    """Connect the receivers. Called by ``AppConfig.ready()``; may be called again."""
    from . import commands, logging, signals, tasks

    signals.install()
    logging.install()
    commands.install()
    tasks.install()
