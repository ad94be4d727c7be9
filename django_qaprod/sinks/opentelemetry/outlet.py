"""One exporter, and what was counted and has not left by it yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from time import monotonic, time_ns

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics.export import (
    Metric,
    MetricExportResult,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ... import __version__
from ...exceptions import QAProdError, SinkUnavailableError
from ...pipeline import guard
from . import exporters, points
from .series import DROPPED, ERRORS, Due, Numbers

#: Data points in one request: some 200 kB, which no proxy finds too large.
MOST_POINTS = 500
#: Seconds after which everything goes out, not only what has changed: a series of which a store has heard
#: nothing for five minutes ends there (Prometheus: staleness).
EVERYTHING_EVERY = 60.0
#: Data points that were dropped: the endpoint does not want them, or they cannot be made.
REFUSED, BROKEN = "sink.opentelemetry.refused", "sink.opentelemetry.broken"

_TOO_LARGE = 413
# What of 4xx may be otherwise the next time: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response has
# the second alone, and the first is what a proxy says that lost patience.
_TRIED_AGAIN = frozenset({408, 429})


class MetricsRefusedError(QAProdError):
    """The endpoint does not want what it was sent, now or later. ``status`` is its answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The endpoint for metrics answers {status}: what it was sent is dropped.")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What the requests of one flush have in common.

    ``end``, in nanoseconds since the epoch, is up to when was counted what they tell of; none is begun after
    ``deadline``, in monotonic seconds.
    """

    resource: Resource
    style: points.Style
    end: int
    deadline: float


class Outlet:
    """Bring away by one exporter what is added to ``numbers``.

    What was taken is settled request by request: when a later one fails, or another exporter does, it does
    not leave again.
    """

    def __init__(self, point: EntryPoint) -> None:
        self.numbers = Numbers(time_ns())
        self._point = point
        self._made: exporters.Made | None = None
        self._everything_at = 0.0
        # Told once as long as the endpoint says the same.
        self._refused_with = 0

    def flush(self, now: Round) -> None:
        """Export what has changed, and now and then everything.

        Raises ``SinkUnavailableError`` when not all of it was taken, or given up because it never will be.
        """
        if now.style.cumulative and monotonic() >= self._everything_at:
            # Once: what is taken of it is done with, however many flushes the rest takes.
            self.numbers.renew()
            self._everything_at = monotonic() + EVERYTHING_EVERY
        due = self.numbers.due()
        # Of what begins anew, with delta or because it was broken, and of what is new.
        self.numbers.since = now.end
        for first in range(0, len(due), MOST_POINTS):
            self._bring(due[first : first + MOST_POINTS], now)

    def close(self) -> None:
        """Let go of the connections. What was counted stays."""
        made, self._made = self._made, None
        if made is not None:
            made.exporter.shutdown()

    def _bring(self, due: Sequence[Due], now: Round) -> None:
        """Have some series taken, or given up; what is too large, or cannot be made, is found by halving."""
        if monotonic() >= now.deadline:
            raise SinkUnavailableError("The endpoint for metrics is slower than they come.")
        problem = self._export(due, now)
        if isinstance(problem, SinkUnavailableError):
            raise problem
        half = len(due) // 2
        if problem is not None and half and _may_be_of_a_part(problem):
            self._bring(due[:half], now)
            self._bring(due[half:], now)
        elif problem is not None and not isinstance(problem, MetricsRefusedError):
            self._forget(due, problem)
        else:
            self._tell(due, problem)
            self.numbers.settle(due, cumulative=now.style.cumulative)

    def _export(self, due: Sequence[Due], now: Round) -> Exception | None:
        """Return why not all of it was taken, ``None`` when it was."""
        made = self._ready()
        try:
            data = _data(list(points.of(due, now.style, now.end)), now.resource)
        except Exception as error:  # noqa: BLE001 - as the drainer has it of records: a point that cannot be
            # made must not stop the others.
            return error
        return _sent(made, data)

    def _ready(self) -> exporters.Made:
        if self._made is None:
            with guard.guard("sink.opentelemetry"):
                self._made = exporters.made(self._point, "metrics")
        if self._made is None:
            raise SinkUnavailableError(f"The exporter {self._point.name!r} cannot be made.")
        return self._made

    def _tell(self, due: Sequence[Due], refused: MetricsRefusedError | None) -> None:
        status = refused.status if refused is not None else 0
        if refused is not None and status != self._refused_with:
            guard.caught(REFUSED, refused)
        self._refused_with = status
        # What tells of this would itself be refused, and counted, for ever.
        lost = sum(metric.name not in {ERRORS, DROPPED} for metric, _ in due)
        if refused is not None and lost:
            guard.dropped(REFUSED, lost)

    def _forget(self, due: Sequence[Due], problem: Exception) -> None:
        guard.caught(BROKEN, problem)
        guard.dropped(BROKEN, len(due))
        for metric, key in due:
            metric.forget(key)


def _may_be_of_a_part(problem: Exception) -> bool:
    return not isinstance(problem, MetricsRefusedError) or problem.status == _TOO_LARGE


def _sent(made: exporters.Made, data: MetricsData) -> Exception | None:
    session = made.session
    if session is not None:
        session.answered = None
    try:
        # The exchange is no request of the host's.
        with suppress_instrumentation():
            result = made.exporter.export(data)
    except Exception as error:  # noqa: BLE001 - exporters of other makes raise what they like
        if session is not None and session.answered is None:
            # Nothing was asked yet: a point cannot be encoded.
            return error
        return SinkUnavailableError(f"The endpoint for metrics: {type(error).__name__}.")
    return None if result is MetricExportResult.SUCCESS else _problem(made)


def _problem(made: exporters.Made) -> Exception:
    """Return why an exporter has failed, as far as it can be known: they do not say."""
    answered = made.session.answered if made.session is not None else 0
    if answered is None:
        return ValueError("A data point cannot be encoded.")
    if 400 <= answered < 500 and answered not in _TRIED_AGAIN:
        return MetricsRefusedError(answered)
    words = f"answers {answered}" if answered else "does not take them"
    return SinkUnavailableError(f"The endpoint for metrics {words}.")


def _data(metrics: list[Metric], resource: Resource) -> MetricsData:
    scope = ScopeMetrics(InstrumentationScope("django_qaprod", __version__), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], resource.schema_url)])
