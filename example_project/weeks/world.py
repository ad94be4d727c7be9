"""Generates what happened: visits, applications, e-mails, errors, gauges, as the troubles would have it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_qaprod import metrics
from django_qaprod.alerts.measures import BEATS

from .. import rhythm
from ..jobs.qaprod import FORM, IMPORT, JobApplication, SchoolEmail
from .numbers import Breach, Gauge, Numbers
from .troubles import GROWTH_A_WEEK, MONDAY, WEEKS_BEFORE, Trouble, on

_HOUR, _DAY, _WEEK = 3600.0, 86400.0, 7 * 86400.0
#: Until when a mail has to have gone, when a breach is found after that, and when somebody repairs it after
#: the trouble is over.
_WITHIN, _WAITED, _LOOKED, _REPAIRED = 60.0, 60.0, 60.0, 1200.0
_MIB = 2.0**20
_START = "vacancies/<int:pk>/apply/"
#: Requests for each application that is started, by route.
_ROUTES = (
    ("/", 1.6),
    ("vacancies/", 2.9),
    ("vacancies/<int:pk>/", 2.4),
    (_START, 1.0),
    ("schools/", 0.8),
    ("accounts/login/", 0.6),
    (FORM, 4.8),
    ("applications/<uuid:token>/submit/", 0.7),
)
#: Errors of pages on which nothing depends, in a week: what every site has.
_ERRORS_A_WEEK = 2.0
_QUIET = "schools/<slug:slug>/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many applications are started a day on average, until when, and what goes wrong."""

    a_day: float
    end: float
    troubles: tuple[Trouble, ...]
    seed: int = 2017

    @property
    def start(self) -> float:
        """When the history begins."""
        return (MONDAY - timedelta(weeks=WEEKS_BEFORE)).timestamp()


def generate(plan: Plan) -> Numbers:
    """Return all of it, history included. The same plan gives the same numbers."""
    world = _World(plan)
    world.make()
    return world.numbers


class _World:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.numbers = Numbers()

    def make(self) -> None:
        at = self.plan.start
        while at < self.plan.end:
            for begun in rhythm.arrivals(self.chance, at, 1.0, self._mean(at)):
                self._visit(begun)
            at += _HOUR
        self._monitor()
        self._imports()
        self._errors()
        self._gauges()
        for trouble in self.plan.troubles:
            if trouble.kind == "one-of-three":
                begun = trouble.span[0]
                self._request(begun + 20, "vacancies/")
                self._request(begun + 60, "schools/")
                self._request(begun + 95, _QUIET, error=True)
        self.numbers.sort()

    def _on(self, kind: str, at: float) -> bool:
        return on(kind, at, self.plan.troubles)

    def _hits(self, kind: str, at: float) -> bool:
        """Say whether something of a kind goes on, and note whom it hit first."""
        for one in self.plan.troubles:
            if one.kind == kind and one.span[0] <= at < one.span[1]:
                self.numbers.hit[one.title] = min(at, self.numbers.hit.get(one.title, at))
                return True
        return False

    def _mean(self, at: float) -> float:
        grown: float = (1 + GROWTH_A_WEEK) ** ((at - MONDAY.timestamp()) / _WEEK)
        third = 1 / 3 if self._on("holiday", at) else 1.0
        return self.plan.a_day / 24 * rhythm.share(rhythm.local(at)) * grown * third

    def _request(self, at: float, route: str, *, error: bool = False, critical: str = "") -> None:
        if self._on("down", at) or at >= self.plan.end:
            return
        self.numbers.add("requests", at, route=route, outcome="error" if error else "ok")
        if error:
            journey = JobApplication.spec.name if critical else ""
            self.numbers.add(
                "failures", at, kind="unhandled", critical=critical, journey=journey, route=route, name=""
            )

    def _visit(self, at: float) -> None:
        chance = self.chance
        for route, share in _ROUTES:
            for seen in rhythm.arrivals(chance, at - 300, 0.25, share):
                broken = route == FORM and chance.random() < 0.6 and self._hits("errors", seen)
                self._request(seen, route, error=broken, critical="1" if broken else "")
        self._apply(at, chance.random())

    def _apply(self, at: float, on_the_way: float) -> None:
        chance = self.chance
        form_type = "teacher" if chance.random() < 0.62 else "support"
        browser = rhythm.browser(chance)
        if self._on("down", at):
            return

        def step(name: str, moment: float) -> None:
            self.numbers.add(
                "step",
                moment,
                journey=JobApplication.spec.name,
                step=name,
                variant=form_type,
                browser=browser,
            )

        step("started", at)
        sent = at + sum(chance.lognormvariate(5.2, 0.7) for _ in range(3)) + chance.lognormvariate(4.2, 0.8)
        if on_the_way > 0.73 or sent >= self.plan.end:
            return
        lost = self._hits("lost-buttons", sent) or (browser == "Safari" and self._hits("lost-button", sent))
        broken = self._on("errors", sent) or self._on("down", sent)
        if lost or broken:
            return
        step("submitted", sent)
        self._mail(sent)

    def _mail(self, at: float) -> None:
        refused = at % 900 < 300 and self._hits("flapping-email", at)
        if refused:
            self.numbers.add(
                "failures", at, kind="degraded", critical="", journey=JobApplication.spec.name, route="",
                name="e-mail to the school",
            )  # fmt: skip
        if refused or self._hits("lost-email", at):
            over = next(
                one.span[1]
                for one in self.plan.troubles
                if one.kind in {"flapping-email", "lost-email"} and one.span[0] <= at < one.span[1]
            )
            repaired = over + _REPAIRED
            found = at + _WITHIN + _WAITED + _LOOKED * self.chance.random()
            self.numbers.breaches.append(Breach(found, repaired))
        else:
            repaired = at + self.chance.lognormvariate(0, 0.5)
        self.numbers.add("step", repaired, journey=SchoolEmail.spec.name, step="sent", variant="", browser="")

    def _monitor(self) -> None:
        """The balancer asks for a page every minute, and gets one while the site can be reached."""
        at = self.plan.start
        while at < self.plan.end:
            self._request(at + self.chance.random(), "/")
            at += 60

    def _imports(self) -> None:
        for day in self._days():
            run = day.replace(hour=2, minute=34).timestamp() + self.chance.random() * 300
            if not self._on("no-import", run):
                self.numbers.add("series", run, name=BEATS, label=IMPORT, outcome="ok")

    def _days(self) -> Iterator[datetime]:
        day = rhythm.local(self.plan.start)
        while day.timestamp() < self.plan.end:
            yield day
            day += timedelta(days=1)

    def _errors(self) -> None:
        weeks = (self.plan.end - self.plan.start) / _WEEK
        for at in rhythm.arrivals(self.chance, self.plan.start, weeks * 168, _ERRORS_A_WEEK * weeks):
            self._request(at, _QUIET, error=True)

    def _gauges(self) -> None:
        chance, start, end = self.chance, self.plan.start, self.plan.end
        minutes = [start + 60 * place for place in range(int((end - start) / 60))]
        remembered = [self._remembered(at) for at in minutes]
        self.numbers.gauges = {
            "searches.remembered": Gauge.of(start, 60, remembered),
            metrics.SPOOL: Gauge.of(start, 60, [0.001 + 0.001 * chance.random() for _ in minutes]),
            metrics.DISK: Gauge.of(start, 60, [0.41 + 0.01 * chance.random() for _ in minutes]),
            metrics.LAG: Gauge.of(start, 60, [2 * chance.random() for _ in minutes]),
            metrics.SINK_LAG: Gauge.of(start, 60, [5 * chance.random() for _ in minutes]),
        }

    def _remembered(self, at: float) -> float:
        """Return what is remembered: more by day than by night, and a bit of everything."""
        usual = 9 + 2.5 * rhythm.share(rhythm.local(at)) + self.chance.gauss(0, 0.4)
        for trouble in self.plan.troubles:
            begin, end = trouble.span
            if trouble.kind == "slow-leak" and begin <= at < end:
                usual += 5 * (at - begin) / _HOUR
        return max(usual, 0.0) * _MIB
