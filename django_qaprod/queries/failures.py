"""Failures: what the list and a failure's page show beside its own columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ..models import Deploy, Occurrence
from .series import Point, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """Occurrences in the last 24 hours, hour by hour, and in the last 14 days (UTC), day by day; the latest last."""

    day: list[int]
    fortnight: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of the occurrences that are kept have a value. ``part`` is between 0 and 1."""

    value: str
    count: int
    part: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a failure did to a journey in the window: ``met`` of ``started`` subjects met it, ``served`` of them
    were served anyway.

    ``started`` counts the subjects that took the first step in the window, and those that met the failure in it
    having started earlier. It is ``None`` for a journey that is not declared any more.
    """

    journey: str
    title: str
    met: int
    started: int | None
    served: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDetail:
    """What a failure's page shows. The shares speak of the ``kept`` occurrences, a fair sample of all."""

    failure: int
    window: Window
    points: list[Point]
    routes: list[Share]
    releases: list[Share]
    browsers: list[Share]
    kept: int
    impact: list[Impact]
    deploys: list[Deploy]


@dataclass(frozen=True, slots=True, kw_only=True)
class OccurrencePage:
    """A page of kept occurrences, the latest first. ``page`` begins at 1 and is always one that exists."""

    items: list[Occurrence]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A call in a trace, with the lines of source around it. Every text is hostile until escaped."""

    file: str = ""
    line: int = 0
    function: str = ""
    module: str = ""
    in_app: bool = False
    before: list[str] = field(default_factory=list)
    code: str = ""
    after: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One exception of a chain and its frames, the innermost call last.

    ``relation`` to the link before: "" for the first, else cause, context or group.
    """

    error_type: str
    message: str
    notes: list[str]
    relation: str
    frames: list[Frame]


def sparklines(ids: Iterable[int], *, now: datetime | None = None) -> dict[int, Sparkline]:
    """Return the sparklines of several failures, all of which are in the answer. Four queries however many."""
    raise NotImplementedError


def detail(failure_id: int, window: Window) -> FailureDetail:
    """Return what a failure's page shows. The number of queries grows with the journeys that met it alone."""
    raise NotImplementedError


def occurrences(failure_id: int, page: int = 1, per_page: int = 20) -> OccurrencePage:
    """Return a page of the occurrences that are kept. Two queries."""
    raise NotImplementedError


def frames(occurrence: Occurrence) -> list[list[Frame]]:
    """Return the frames of each exception of the chain; empty for what is missing, damaged or foreign. One query."""
    raise NotImplementedError


def chain(occurrence: Occurrence) -> list[Link]:
    """Return the exceptions of an occurrence with their frames. One query."""
    raise NotImplementedError
