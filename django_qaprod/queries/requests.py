"""Requests by route."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ..histogram import RELATIVE_ERROR
from .series import Window


@dataclass(slots=True, kw_only=True)
class Numbers:
    """How requests went. ``errors`` are those answered with a server error; seconds for the quantiles."""

    count: int = 0
    errors: int = 0
    client_errors: int = 0
    degraded: int = 0
    aborted: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @property
    def error_rate(self) -> float:
        """Server errors per request, between 0 and 1."""
        return self.errors / self.count if self.count else 0.0

    @property
    def degraded_rate(self) -> float:
        """Degraded requests per request, between 0 and 1."""
        return self.degraded / self.count if self.count else 0.0


@dataclass(slots=True, kw_only=True)
class RouteRow(Numbers):
    """A route in the list, beside the window before. ``trend`` holds its counts in equal steps of the window."""

    route: str
    previous_count: int = 0
    previous_errors: int = 0
    trend: list[int] = field(default_factory=list)

    @property
    def previous_error_rate(self) -> float:
        """Server errors per request in the window before."""
        return self.previous_errors / self.previous_count if self.previous_count else 0.0


@dataclass(slots=True, kw_only=True)
class RoutePoint(Numbers):
    """One step of a route's chart."""

    start: datetime


@dataclass(slots=True, kw_only=True)
class Share(Numbers):
    """The requests that have one value of an attribute (a status, a method, a browser)."""

    value: str


@dataclass(slots=True, kw_only=True)
class RouteDetail:
    """Everything about one route. Browsers have counts, errors and degraded requests, no quantiles."""

    route: str
    window: Window
    now: RouteRow
    points: list[RoutePoint]
    by_status: list[Share]
    by_method: list[Share]
    by_browser: list[Share]
    error: float = RELATIVE_ERROR


def routes(window: Window) -> list[RouteRow]:
    """Return the routes that were asked for in the window, most requests first, beside the window before."""
    raise NotImplementedError


def route(route: str, window: Window) -> RouteDetail:
    """Return what is known about one route; everything is zero for one that nobody asked for."""
    raise NotImplementedError
