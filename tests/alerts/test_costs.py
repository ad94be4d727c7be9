"""What a look at many rules asks the database: of each its numbers, and of all together the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import time_machine
from pytest_django import Settings

from django_qaprod import clock, registry
from django_qaprod.alerts import passes
from django_qaprod.alerts.sight import LiveSight, Memory
from django_qaprod.models import Event, Failure
from django_qaprod.records import new_id
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import numbers
from django_qaprod.store.numbers import FAILURES, Cell
from tests.counting import Counted
from tests.queries.conftest import NOW

pytestmark = pytest.mark.django_db(databases="__all__")

AT = NOW.timestamp()
#: Rules of a kind, and twice as many.
SOME, MORE = 3, 6


@pytest.fixture(autouse=True)
def _alone(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {"CHANNELS": {"mail": {"email": ["a@example.org"]}}, "DEFAULT_RULES": False}
    with registry.isolated():
        registry._rules.clear()
        with time_machine.travel(NOW, tick=False):
            yield


def taken(number: int) -> Measure:
    return Measure("step", journey="application", name=f"step {number}")


def asked(number: int, **where: str) -> Measure:
    return Measure("requests", name=f"route/{number}/", where=tuple(where.items()))


def rule(kind: str, of: Measure, per: Measure | None = None, **numbers: float) -> RuleSpec:
    return RuleSpec(name="", kind=kind, of=of, per=per, numbers=numbers)


#: How a rule of each kind is made by its number, no two of the same measure and window, and how many queries
#: its own numbers take.
KINDS: dict[str, tuple[Callable[[int], RuleSpec], int]] = {
    "steps": (lambda n: rule("threshold", taken(n), at_least=99.0, window=300.0), 1),
    "absence": (lambda n: rule("absence", taken(n), window=7200.0), 1),
    "heartbeat": (lambda n: rule("heartbeat", taken(n), every=7200.0, grace=60.0), 1),
    "ratio": (lambda n: rule("ratio", taken(n), taken(n + 1), below=0.1, window=300.0 + n), 2),
    "out_of_sync": (
        lambda n: rule("out_of_sync", taken(n), taken(n + 1), at_least=0.1, within=60.0, window=600.0 + n),
        2,
    ),
    # The steps of this hour, and the hours that are not settled.
    "dip": (lambda n: rule("dip", taken(n), weeks=8.0, once_in_days=365.0), 2),
    # Which series there are, and what they counted.
    "requests": (lambda n: rule("threshold", asked(n, outcome="error"), at_least=99.0, window=300.0), 2),
    "failures": (
        lambda n: rule("threshold", Measure("failures", name=f"part {n}"), at_least=99.0, window=300.0),
        2,
    ),
    # The series once; of both, two short windows, and of the third its two edges and two hours.
    "burn_rate": (
        lambda n: rule("burn_rate", asked(n, outcome="error"), asked(n), objective=0.5, period=2_592_000.0),
        11,
    ),
}


def happens() -> None:
    """Make a little of everything that the rules watch, so that none is wrong."""
    Event.objects.bulk_create(
        Event(id=new_id(), journey="application", step=taken(n).name, subject="7", at=clock.moment(AT - ago))
        for n in range(MORE + 1)
        for ago in (60, 120, 700, 86_400 * 50)
    )
    seen = {"first_seen": clock.moment(AT - 120), "last_seen": clock.moment(AT - 120)}
    for n in range(MORE):
        failure = Failure.objects.create(fingerprint=str(n), kind="degraded", name=f"part {n}", **seen)
        counted(FAILURES, str(failure.pk), {"failure": str(failure.pk)}, 1)
        for outcome, times in (("ok", 9), ("server_error", 1)):
            where = {"http.route": f"route/{n}/", "qaprod.outcome": outcome}
            counted("http.server.request.duration", f"route/{n}/", where, times)


def counted(name: str, label: str, attributes: dict[str, str], times: int) -> None:
    start = int((AT - 120) // 60 * 60)
    cell = Cell(
        name=name, label=label, attributes=tuple(attributes.items()), start=start, count=times, total=0
    )
    numbers.save([cell])


def queries_of_a_look(make: Callable[[int], RuleSpec], number: int) -> int:
    """Return what the second look of a process asks: the first reads what does not change."""
    registry._rules.clear()
    for n in range(number):
        registry.register_rule(make(n)._replace(name=f"{number} {n}"))
    memory = Memory()
    passes.look(threading.Event(), sight=LiveSight(at=AT, memory=memory))
    with Counted() as queries:
        looked = passes.look(threading.Event(), sight=LiveSight(at=AT + 30, memory=memory))
    assert looked.failed == looked.left == 0
    return len(queries)


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_at_rules_that_are_well_reads_their_numbers_alone(kind: str) -> None:
    """What is kept of each, its alerts, deploys and incidents are read and written once for all."""
    make, each = KINDS[kind]
    happens()
    some, more = (queries_of_a_look(make, number) for number in (SOME, MORE))
    assert (more - some) / (MORE - SOME) == each
    assert some - SOME * each <= 13


def test_what_many_rules_watch_is_read_once() -> None:
    """As long as they do so in the same window."""
    happens()

    def make(number: int) -> RuleSpec:
        return rule("threshold", asked(1, outcome="error"), at_least=99.0 + number, window=300.0)

    assert queries_of_a_look(make, SOME) == queries_of_a_look(make, MORE)
