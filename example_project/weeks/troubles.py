"""What goes wrong in the four weeks, when, and of what the team should hear."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/London")
#: The first of the weeks, with a bank holiday in the last one, and summer time from the third Sunday on.
MONDAY = datetime(2026, 3, 9, tzinfo=ZONE)
WEEKS, WEEKS_BEFORE = 4, 8

NOT_MET = "an expectation is not met"
FAIL = "applications fail"
CRITICAL = "a critical view fails"
DOWN = "nobody gets through"
FEWER = "fewer applications than usual"
GIVE_UP = "applicants give up"
MEMORY = "memory will run out"
NIGHTLY = "import of vacancies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that goes wrong, or only looks like it, for some time.

    ``expects`` are the rules that are to be told, ``may`` those that are right to be told as well; ``key`` is
    what the first of them is to name. ``lasting`` is how long after its end it may still be told.
    """

    kind: str
    title: str
    begin: datetime
    lasts: timedelta
    expects: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    key: str = ""
    lasting: timedelta = timedelta(minutes=30)

    @property
    def end(self) -> datetime:
        """When it is over, on the site's clock."""
        return self.begin + self.lasts

    @property
    def span(self) -> tuple[float, float]:
        """From and to, in seconds since the epoch."""
        return self.begin.timestamp(), self.end.timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """A release that goes live."""

    release: str
    at: datetime


def at(week: int, day: int, hour: int, minute: int = 0) -> datetime:
    """Return a moment of the site's clock: weeks from 1 on, days from 0, which is Monday."""
    # Not a timedelta of hours: clocks are put forward.
    date = (MONDAY + timedelta(days=7 * (week - 1) + day)).date()
    return datetime(date.year, date.month, date.day, hour, minute, tzinfo=ZONE)


TROUBLES: tuple[Trouble, ...] = (
    Trouble(
        kind="lost-email",
        title="E-mail stops for two hours: taken, and lost, without an error",
        begin=at(1, 1, 10),
        lasts=timedelta(hours=2),
        expects=(NOT_MET,),
    ),
    Trouble(
        kind="one-of-three",
        title="Three requests in the night, of which one fails",
        begin=at(1, 2, 3, 10),
        lasts=timedelta(minutes=3),
    ),
    Trouble(
        kind="down",
        title="The site is down for 20 minutes, at night",
        begin=at(1, 3, 3, 20),
        lasts=timedelta(minutes=20),
        expects=(DOWN,),
    ),
    Trouble(
        kind="lost-button",
        title="A deploy breaks the button in Safari, for six hours",
        begin=at(2, 0, 16),
        lasts=timedelta(hours=6),
        expects=(FEWER,),
        key="Safari",
    ),
    Trouble(
        kind="down",
        title="The site is down for 20 minutes, by day",
        begin=at(2, 2, 14),
        lasts=timedelta(minutes=20),
        expects=(DOWN,),
    ),
    Trouble(
        kind="slow-leak",
        title="Memory leaks, 5 MiB an hour, until a restart",
        begin=at(2, 4, 8),
        lasts=timedelta(hours=9.5),
        expects=(MEMORY,),
    ),
    Trouble(
        kind="no-import",
        title="The nightly import does not run",
        begin=at(3, 1, 2, 30),
        lasts=timedelta(hours=24),
        expects=(NIGHTLY,),
    ),
    Trouble(
        kind="errors",
        title="A deploy brings 500s on the form, for 25 minutes",
        begin=at(3, 2, 15),
        lasts=timedelta(minutes=25),
        expects=(CRITICAL,),
        may=(FAIL, "requests fail", "forms are answered"),
    ),
    Trouble(
        kind="flapping-email",
        title="The mail server flaps for three hours: 5 minutes of each 15",
        begin=at(3, 3, 16),
        lasts=timedelta(hours=3),
        expects=(FAIL,),
        may=(NOT_MET,),
        lasting=timedelta(hours=1),
    ),
    Trouble(
        kind="lost-buttons",
        title="A script breaks the button in every browser, for three hours",
        begin=at(4, 2, 18),
        lasts=timedelta(hours=3),
        expects=(FEWER,),
        may=(GIVE_UP,),
        lasting=timedelta(hours=1),
    ),
    Trouble(
        kind="clocks",
        title="Clocks go forward",
        begin=at(3, 6, 0),
        lasts=timedelta(hours=23),
    ),
    Trouble(
        kind="good-deploy",
        title="A deploy that breaks nothing",
        begin=at(4, 1, 11),
        lasts=timedelta(hours=6),
    ),
    Trouble(
        kind="holiday",
        title="A bank holiday: a third of the visitors",
        begin=at(4, 4, 0),
        lasts=timedelta(hours=24),
    ),
)
#: All the time, before the first week too.
GROWTH_A_WEEK = 0.02

DEPLOYS: tuple[Deploy, ...] = (
    Deploy(release="2.4.1", at=at(2, 0, 16)),
    Deploy(release="2.4.2", at=at(2, 0, 22)),
    Deploy(release="2.4.3", at=at(3, 2, 15)),
    Deploy(release="2.4.4", at=at(3, 2, 15, 25)),
    Deploy(release="2.4.5", at=at(4, 1, 11)),
)


def on(kind: str, moment: float, troubles: tuple[Trouble, ...]) -> bool:
    """Return whether something of a kind goes on at a time."""
    return any(one.kind == kind and one.span[0] <= moment < one.span[1] for one in troubles)
