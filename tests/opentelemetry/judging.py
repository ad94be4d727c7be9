"""An OTLP/HTTP receiver of metrics that judges each request by what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.endpoints import answering
from tests.otlp import attributes


@dataclass(slots=True)
class Judge:
    """``verdict`` says the status for the series of a request, ``n`` each; ``taken`` is their sum."""

    port: int = 0
    verdict: Callable[[Counter[str]], int] = lambda series: 200
    asked: list[Counter[str]] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)

    def answer(self, body: bytes) -> int:
        series = _series(ExportMetricsServiceRequest.FromString(body))
        self.asked.append(series)
        status = self.verdict(series)
        if status == 200:
            self.taken += series
        return status


def _series(message: ExportMetricsServiceRequest) -> Counter[str]:
    """Return the values of the sums in a request, by the series' attribute ``n``."""
    found: Counter[str] = Counter()
    for resource in message.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.sum.data_points:
                    found[str(attributes(point.attributes).get("n", metric.name))] += point.as_int
    return found


@contextmanager
def judge() -> Iterator[Judge]:
    """Judge until the block ends."""
    judging = Judge()
    with answering(lambda line, headers, body: judging.answer(body)) as judging.port:
        yield judging
