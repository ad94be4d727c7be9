"""Gauges: numbers that are read from time to time, the host's own and those of each process and machine."""

from __future__ import annotations

from pathlib import Path

from ..conf import settings
from ..pipeline import hooks


def install() -> None:
    """Have each process read itself and its machine before it flushes, unless that is off.

    May be called again. Imports what reads no earlier than it is to read.
    """
    if not settings().resource_gauges or _before_flush in hooks.before_flush:
        return
    from . import open_connections

    open_connections.install()
    hooks.imports.append(f"{__name__}.resources")
    hooks.before_flush.append(_before_flush)
    hooks.companions.append(_on_pass)


def _before_flush() -> None:
    from . import resources

    resources.read_process()


def _on_pass(path: Path) -> None:
    from . import resources

    resources.read_spool(path)
