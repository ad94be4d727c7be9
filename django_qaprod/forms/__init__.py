"""The form is always served, and what was typed is kept: ``serve_form``, rescued submissions, replay."""

from __future__ import annotations

from pathlib import Path

from ..pipeline import hooks


def install() -> None:
    """Have the machine's drainer bring in what waits in the spool, and hear of replays that were asked for.

    Nothing is imported before then.
    """
    if _collect not in hooks.companions:
        hooks.companions.append(_collect)


def _collect(path: Path) -> None:
    if (path / "submissions").exists():
        from .waiting import collect

        collect(path)
    if (path / "replays").exists():
        from .queue import seen

        seen(path)
