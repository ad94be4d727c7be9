"""What is told of a rule that tells several apart: each that is wrong, or that all are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ...registry import NO_VALUE
from .base import ALL, Verdict

T = TypeVar("T")

#: The share of the volume from which on not one of them is wrong, but the whole.
MOST = 0.8


def named(found: Mapping[str, T]) -> dict[str, T]:
    """Return what a sight says by key, each under a key that is not ``ALL``."""
    return {key or NO_VALUE: value for key, value in found.items()}


def together(
    verdicts: tuple[Verdict, ...], volumes: Mapping[str, float], whole: Verdict
) -> tuple[Verdict, ...]:
    """Return what is to be told of the keys that were judged, and of ``whole``, which has the key ``ALL``.

    When at least two are wrong, and these are ``MOST`` of the volume, the whole is wrong, and they are left
    out. Else each speaks for itself, and the whole is right. ``volumes`` are those of the keys that have
    enough of it to be judged.
    """
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    volume = sum(volumes.get(verdict.key, 0.0) for verdict in verdicts)
    theirs = sum(volumes.get(verdict.key, 0.0) for verdict in wrong)
    if len(wrong) > 1 and theirs >= MOST * volume:
        begun = [verdict.since for verdict in wrong if verdict.since is not None]
        since = whole.since if whole.since is not None else min(begun, default=None)
        rest = tuple(verdict for verdict in verdicts if not verdict.wrong)
        return (whole._replace(key=ALL, wrong=True, since=since), *rest)
    return (whole._replace(key=ALL, wrong=False, since=None), *verdicts)
