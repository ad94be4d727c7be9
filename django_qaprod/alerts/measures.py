"""What rules watch, beside the steps of journeys."""

from __future__ import annotations

from typing import Literal

from ..specs import Measure

#: The series of what ``qaprod_beat`` tells, labelled with the job's name.
BEATS = "qaprod.beats"


class Requests(Measure):
    """Requests, of a route or of all."""

    __slots__ = ()

    def errors(self) -> Measure:
        """Return those that were answered with a server error."""
        return Measure(kind=self.kind, name=self.name, where=(("outcome", "error"),))

    def degraded(self) -> Measure:
        """Return those that were answered although something failed."""
        return Measure(kind=self.kind, name=self.name, where=(("outcome", "degraded"),))


def requests(*, route: str = "") -> Requests:
    """Watch the requests of a route, as the list of requests names it, or of all."""
    return Requests(kind="requests", name=route)


def failures(
    *,
    critical: bool = False,
    kind: str = "",
    severity: Literal["", "info", "warning", "error", "critical"] = "",
    name: str = "",
) -> Measure:
    """Watch how often something fails: on critical views alone, of a kind, at least that severe, of a name.

    What is silenced does not count.
    """
    given = {"critical": "1" if critical else "", "kind": kind, "severity": severity}
    where = tuple((key, value) for key, value in given.items() if value)
    return Measure(kind="failures", name=name, where=where)


def breaches(expectation: str = "") -> Measure:
    """Watch the breaches that are found, of one expectation or of all."""
    return Measure(kind="breaches", name=expectation)


def gauge(name: str, *, label: str | None = None) -> Measure:
    """Watch what is read of a gauge, of all its labels together or of one."""
    return Measure(kind="gauge", name=name, where=() if label is None else (("label", label),))


def series(name: str, *, label: str = "", **attributes: str) -> Measure:
    """Watch any series of numbers that is counted."""
    where = (("label", label),) if label else ()
    return Measure(kind="series", name=name, where=(*where, *sorted(attributes.items())))


def beats(job: str) -> Measure:
    """Watch that a job runs and ends well, as ``qaprod_beat`` tells."""
    return Measure(kind="series", name=BEATS, where=(("label", job), ("outcome", "ok")))
