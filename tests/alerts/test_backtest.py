"""When a rule would have fired: as the worker would have seen it, and honest about what is not known."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from django_qaprod import clock, registry
from django_qaprod.alerts import backtest as module
from django_qaprod.alerts import passes, rerun
from django_qaprod.alerts.backtest import Backtest, backtest
from django_qaprod.alerts.history import Cells, HistorySight, cells
from django_qaprod.alerts.judging import threshold
from django_qaprod.alerts.judging.base import Judgement, Verdict
from django_qaprod.alerts.rerun import TooLongError
from django_qaprod.alerts.sight import SETTLE, LiveSight
from django_qaprod.exceptions import DeclarationError, OverrideError
from django_qaprod.models import Alert, Deploy, Event
from django_qaprod.queries import measures
from django_qaprod.records import Cell, new_id
from django_qaprod.registry import JourneySpec, StepSpec
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import numbers, rollups
from tests.queries.conftest import NOW

pytestmark = pytest.mark.django_db(databases="__all__")

AT = NOW.timestamp()
MINUTE, HOUR, DAY = 60, 3600, 86400
TOP = int(AT) // HOUR * HOUR
SUBMITTED = Measure(kind="step", journey="application", name="submitted")
SERIES = Measure(kind="series", name="n")
MANY = RuleSpec(
    name="many",
    kind="threshold",
    of=SUBMITTED,
    numbers={"at_least": 3.0, "window": 300.0, "for": 0.0, "keep_firing": 600.0},
)


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False), registry.isolated():
        steps = (StepSpec(name="submitted", title="submitted"),)
        registry.register(JourneySpec(name="application", title="Application", module=__name__, steps=steps))
        yield


def take(*at: float, step: str = "submitted", **fields: Any) -> None:
    Event.objects.bulk_create(
        Event(id=new_id(), journey="application", step=step, subject="7", at=clock.moment(one), **fields)
        for one in at
    )


def count(at: float, times: int = 1, *, total: float = 0.0, gauge: bool = False, label: str = "") -> None:
    start = int(at) // 60 * 60
    numbers.save(
        [Cell(name="n", label=label, attributes=(), start=start, count=times, total=total, gauge=gauge)]
    )


def spans(found: Backtest) -> list[tuple[str, float, float]]:
    """Return for each firing its key, when it fired, and for how long."""
    return [(one.key, clock.epoch(one.fired), one.seconds) for one in found.firings]


def test_it_would_have_fired_when_it_happened_too_often() -> None:
    """From the minute in which it became too many, until it was right for as long as it is kept."""
    begun = TOP - 2 * DAY + 20 * MINUTE
    take(begun + 5, begun + 65, begun + 125, TOP - 9 * DAY, TOP - DAY)
    found = backtest(MANY, days=3, alternatives=False)
    ((key, fired, seconds),) = spans(found)
    assert (key, fired) == ("", begun + 180)
    # The window of five minutes, what may come late for as long, and ten minutes of quiet.
    assert 900 <= seconds <= 1500
    assert found.seconds == seconds
    assert not found.coarse
    assert found.firings[0].words.startswith("3 in")
    assert (found.firings[0].value, found.firings[0].limit) == (3.0, 3.0)
    assert found.looks == pytest.approx(3 * DAY / MINUTE, abs=70)
    assert sum(point.wrong for point in found.points) > 0
    assert len(found.points) <= module.POINTS


def test_what_still_fires_has_no_end() -> None:
    """The last stretch goes on until now."""
    take(*(TOP + 20 * MINUTE + second for second in range(0, 500, 20)))
    (firing,) = backtest(MANY, days=1, alternatives=False).firings
    assert firing.ended is None


def test_it_is_pending_before_it_fires() -> None:
    """What does not last is not told."""
    lasting = MANY._replace(numbers={**MANY.numbers, "for": 1200.0, "window": 120.0})
    take(*(TOP - 5 * DAY + second for second in range(0, 60, 20)))
    assert backtest(lasting, days=6, alternatives=False).firings == []
    take(*(TOP - 3 * DAY + second for second in range(0, 2400, 20)))
    ((_, fired, _),) = spans(backtest(lasting, days=6, alternatives=False))
    assert TOP - 3 * DAY + 1200 <= fired <= TOP - 3 * DAY + 1320


def test_the_one_that_is_wrong_is_told_apart() -> None:
    """By variant, as in the worker."""
    take(*(TOP - 5 * DAY + second for second in range(0, 60, 20)), variant="long")
    take(TOP - 5 * DAY, variant="short")
    found = backtest(MANY._replace(by="variant"), days=6, alternatives=False)
    assert [key for key, _, _ in spans(found)] == ["long"]


def test_other_limits_are_tried_beside_it() -> None:
    """How often, and for how long, at looser and tighter ones."""
    for hour, times in ((5, 2), (10, 3), (15, 5), (20, 7)):
        take(*(TOP - hour * HOUR + second for second in range(times)))
    found = backtest(MANY, days=1)
    assert found.main == "at_least"
    assert len(found.firings) == 3
    tried = {one.factor: (one.value, one.firings) for one in found.alternatives}
    assert tried == {0.5: (1.5, 4), 0.75: (2.25, 3), 1.5: (4.5, 2), 2.0: (6.0, 1)}
    for one in found.alternatives:
        alone = backtest(MANY, days=1, numbers={"at_least": one.value}, alternatives=False)
        assert (len(alone.firings), alone.seconds) == (one.firings, one.seconds)


def test_it_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the limits for which there was none left, or without an answer: a page waits for it."""
    take(TOP - 5 * HOUR)
    ticks = iter(range(1_000_000))
    for timed in (module, rerun):
        monkeypatch.setattr(timed, "perf_counter", lambda: float(next(ticks)))
    looks = backtest(MANY, days=1, alternatives=False).looks
    found = backtest(MANY, days=1, within=looks + 10.0)
    assert (found.looks, found.alternatives) == (looks, [])
    assert found.main == "at_least"
    with pytest.raises(TooLongError):
        backtest(MANY, days=1, within=looks / 2)


def test_limits_of_every_kind_are_tried_from_the_strictest_on() -> None:
    """The shorter an absence may be, and the higher a number below which there are too few, the stricter."""
    take(*(TOP - 3 * DAY + place * 600 for place in range(3 * 144) if place % 40 > place // 40))
    absence = RuleSpec(name="a", kind="absence", of=SUBMITTED, numbers={"window": 3600.0, "keep_firing": 0.0})
    few = RuleSpec(
        name="f", kind="threshold", of=SUBMITTED,
        numbers={"at_most": 4.0, "window": 3600.0, "keep_firing": 0.0},
    )  # fmt: skip
    for rule, main in ((absence, "window"), (few, "at_most")):
        found = backtest(rule, days=1)
        assert found.main == main
        assert len({one.firings for one in found.alternatives}) > 1
        for one in found.alternatives:
            alone = backtest(rule, days=1, numbers={main: one.value}, alternatives=False)
            assert (len(alone.firings), alone.seconds) == (one.firings, one.seconds)


def test_a_number_can_be_tried_before_it_is_saved() -> None:
    """The rule stays as it is; what it cannot be is refused."""
    take(*(TOP - 5 * DAY + second for second in range(0, 60, 20)))
    assert len(backtest(MANY, days=6, alternatives=False).firings) == 1
    found = backtest(MANY, numbers={"at_least": 4}, days=6, alternatives=False)
    assert found.firings == []
    assert found.rule.numbers["at_least"] == 4.0
    with pytest.raises(OverrideError):
        backtest(MANY, numbers={"above": 4})


def test_old_numbers_are_judged_by_the_hour_and_it_is_said() -> None:
    """The whole of an hour counts: at most as often as it says would it have fired."""
    rule = MANY._replace(of=SERIES)
    for minute in (0, 30, 59):
        count(TOP - 9 * DAY + minute * 60)
        count(TOP - DAY + minute * 60)
    for second in range(3):
        count(TOP - DAY + 2 * HOUR + second)
    rollups.roll_up()
    found = backtest(rule, alternatives=False)
    assert found.coarse
    assert TOP - 2 * DAY <= clock.epoch(found.fine_from) <= TOP - 2 * DAY + 2 * HOUR
    (old, _, lasted), (new, _, _) = spans(found)[0], spans(found)[1]
    assert len(found.firings) == 2
    assert (old, new) == ("", "")
    assert TOP - 9 * DAY <= clock.epoch(found.firings[0].fired) <= TOP - 9 * DAY + HOUR
    assert lasted <= HOUR + 900
    assert clock.epoch(found.firings[1].fired) == TOP - DAY + 2 * HOUR + 60


def test_what_has_never_happened_and_since_when_it_has_is_known() -> None:
    """Of a new site, or of a route by a wrong name, that a rule would not have fired says nothing."""
    rule = MANY._replace(of=SERIES)
    never = backtest(rule, alternatives=False)
    assert (never.first, never.begun) == (None, never.end)
    count(TOP - 2 * HOUR)
    lately = backtest(rule, alternatives=False)
    assert lately.first is not None
    assert lately.begun == lately.first > lately.start
    count(TOP - 40 * DAY)
    rollups.roll_up()
    assert backtest(rule, alternatives=False).begun is None


def test_a_ratio_and_an_absence_are_judged_over_the_past() -> None:
    """Whole days without orders, and a morning in which half of them failed."""
    failed = Measure(kind="step", journey="application", name="failed")
    take(*(TOP - 6 * DAY + place * 600 for place in range(6 * 144 + 3) if not 288 < place < 432))
    Event.objects.bulk_create(
        Event(
            id=new_id(), journey="application", step="failed", subject="7", at=clock.moment(TOP - 5 * DAY + n)
        )
        for n in range(0, 3600, 600)
    )
    ratio = RuleSpec(
        name="r", kind="ratio", of=failed, per=SUBMITTED,
        numbers={"above": 0.5, "min_count": 5.0, "window": 3600.0, "keep_firing": 600.0},
    )  # fmt: skip
    ((_, fired, _),) = spans(backtest(ratio, days=6, alternatives=False))
    assert TOP - 5 * DAY <= fired <= TOP - 5 * DAY + HOUR
    absence = RuleSpec(name="a", kind="absence", of=SUBMITTED, numbers={"window": 7200.0, "keep_firing": 0.0})
    stretches = spans(backtest(absence, days=5, alternatives=False))
    assert [round((fired - TOP) / HOUR) for _, fired, _ in stretches] == [-94]
    assert stretches[0][2] == pytest.approx(22 * HOUR, abs=1200)


def test_readings_of_a_gauge_are_means_of_what_was_read() -> None:
    """Also of several labels, and by the hour where that is what is kept."""
    gauge = Measure(kind="gauge", name="n")
    for minute in range(0, 180, 5):
        count(TOP - 3 * HOUR + minute * 60, 2, total=20.0 if minute < 60 else 200.0, gauge=True, label="a")
    rule = RuleSpec(
        name="g", kind="threshold", of=gauge, by="label",
        numbers={"at_least": 50.0, "window": 600.0, "keep_firing": 0.0},
    )  # fmt: skip
    (firing,) = backtest(rule, days=1, alternatives=False).firings
    assert firing.key == "a"
    assert TOP - 2 * HOUR < clock.epoch(firing.fired) <= TOP - 2 * HOUR + 600


def test_a_flag_that_was_changed_is_no_deploy_in_the_history_either() -> None:
    """A dip would say that a release went live."""
    for place in range(3):
        Deploy.objects.create(release=f"r{place}", at=clock.moment(TOP - place * HOUR - 60), flag=place != 1)
    sight = HistorySight(cells([SUBMITTED], start=TOP - DAY, end=TOP, before=0, now=AT))
    assert sight.deploys(TOP - DAY, TOP) == [TOP - HOUR - 60]


def test_the_history_says_what_the_measures_say() -> None:
    """Of any stretch that is of whole cells, by steps and keys, and the same last time."""
    take(*(TOP - place * 1234 for place in range(1, 400)), variant="long")
    take(*(TOP - place * 4321 for place in range(1, 100)), variant="short")
    whole = cells([SUBMITTED], start=TOP - 3 * DAY, end=TOP, before=0, now=AT)
    assert whole == Cells(TOP - 3 * DAY, TOP - 3 * DAY, TOP)
    sight = HistorySight(whole)
    for start, end, step in ((60, 30, 0), (4000, 1000, 10), (4000, 0, 7), (2 * DAY // 60, 0, 60)):
        stretch = (SUBMITTED, TOP - start * 60.0, TOP - end * 60.0)
        for by in ("", "variant"):
            expected = measures.counts(*stretch, step=step * 60, by=by)
            assert sight.counts(*stretch, step=step * 60, by=by) == expected
    begun = [TOP - 1234 // 60 * 60 - 60, TOP - 1234 + 0.5]
    assert sight.counts(SUBMITTED, *begun) == {"": [1.0]}, "what goes on belongs to it"
    starts = [TOP - HOUR, TOP - 5 * HOUR, TOP - 50 * HOUR, TOP - 20 * DAY]
    assert sight.hours(SUBMITTED, starts) == measures.hours(SUBMITTED, starts)
    sight.now = TOP - 2 * DAY
    last = sight.last(SUBMITTED, TOP - 3 * DAY)
    exact = Event.objects.filter(at__lt=clock.moment(TOP - 2 * DAY)).order_by("-at").first()
    assert exact is not None
    assert last == clock.epoch(exact.at) // 60 * 60
    assert sight.last(SUBMITTED, TOP - 2 * DAY) is None
    assert sight.first(SUBMITTED) is not None
    sight.now = TOP - 30 * DAY
    assert sight.first(SUBMITTED) is None


def test_what_it_could_not_say_is_counted_with_the_reason() -> None:
    """A ratio of nothing is silent; so is a rule outside its hours."""
    ratio = RuleSpec(
        name="r", kind="ratio", of=SUBMITTED, per=SUBMITTED, numbers={"above": 0.5, "window": 3600.0}
    )
    found = backtest(ratio, days=1)
    assert found.silent == found.looks > 0
    assert found.why
    closed = backtest(MANY._replace(hours=lambda at: False), days=1, alternatives=False)
    assert (closed.silent, closed.why) == (closed.looks, "Outside its hours.")


def test_what_is_known_of_the_present_alone_has_no_past() -> None:
    """Nobody kept which job had failed when."""
    with pytest.raises(DeclarationError, match="present"):
        backtest(MANY._replace(of=Measure(kind="health", name="jobs")))


def test_the_command_prints_when_it_would_have_fired() -> None:
    """And what other limits would have done."""
    registry.register_rule(MANY)
    take(*(TOP - 20 * HOUR + second for second in range(0, 60, 20)))
    out = StringIO()
    call_command("qaprod_backtest", "many", "--days", "1", stdout=out)
    said = out.getvalue()
    assert "1 time" in said
    assert f"{clock.moment(TOP - 20 * HOUR + 60):%Y-%m-%d %H:%M}" in said
    assert "at_least" in said
    out = StringIO()
    call_command("qaprod_backtest", "many", "--days", "1", "--set", "at_least=9", stdout=out)
    assert "would not have fired" in out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [("falls",), ("many", "--set", "at_most=3"), ("many", "--set", "three"), ("many", "--days", "0")],
)
def test_the_command_refuses_what_cannot_be(arguments: tuple[str, ...]) -> None:
    """By name."""
    registry.register_rule(MANY)
    with pytest.raises(CommandError):
        call_command("qaprod_backtest", *arguments, stdout=StringIO())


def test_the_command_names_the_rules_there_are(settings: Any) -> None:
    """For who has forgotten."""
    settings.QAPROD = {"DEFAULT_RULES": False}
    registry.register_rule(MANY)
    with pytest.raises(CommandError, match="many"):
        call_command("qaprod_backtest", "falls", stdout=StringIO())


def test_a_dip_is_seen_in_the_past() -> None:
    """A day without orders, after weeks with as many each hour."""
    gap = range(TOP - 2 * DAY, TOP - DAY)
    take(*(at for at in range(TOP - 40 * DAY, TOP, 600) if at not in gap))
    rule = RuleSpec(
        name="d", kind="dip", of=SUBMITTED,
        numbers={"once_in_days": 365.0, "weeks": 3.0, "keep_firing": 600.0},
    )  # fmt: skip
    found = backtest(rule, days=3, every=3600, alternatives=False)
    assert [key for key, _, _ in spans(found)] == [""]
    fired = found.firings[0].fired
    assert clock.moment(TOP - 2 * DAY) < fired < clock.moment(TOP - 2 * DAY) + timedelta(hours=5)


def test_what_has_too_few_to_be_judged_by_ends_after_an_hour() -> None:
    """As the looks of the worker end it: at night there are never enough."""
    take(*(TOP - 6 * HOUR + second for second in range(60)), step="started")
    rule = RuleSpec(
        name="r", kind="ratio", of=SUBMITTED, per=SUBMITTED._replace(name="started"),
        numbers={"below": 0.5, "window": 600.0, "min_count": 20.0, "keep_firing": 600.0},
    )  # fmt: skip
    (firing,) = backtest(rule, days=1, alternatives=False).firings
    assert firing.ended is not None
    assert HOUR <= firing.seconds < 2 * HOUR


@pytest.mark.parametrize("lasting", [{}, {"for": 240.0, "keep_firing": 600.0}])
def test_it_holds_an_alert_as_the_worker_would(
    lasting: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pending, kept, flapping, and one of which nothing is said but of all: the same by the same verdicts."""
    pace, start = 300, TOP - 3 * HOUR
    wrong = {
        "": "...................++........",
        "flaps": "+.+.+.+......+..............",
        "pends": "..................+  ++......",
    }

    def judge(rule: RuleSpec, sight: Any) -> Judgement:
        look = round((sight.now - start) / pace) - 1
        said = {key: signs[look : look + 1] for key, signs in wrong.items()}
        return Judgement(
            tuple(
                Verdict(key, sign == "+", 1.0, f"{look} of {key}")
                for key, sign in said.items()
                if sign != " "
            )
        )

    monkeypatch.setattr(threshold, "judge", judge)
    rule = MANY._replace(numbers={"at_least": 1.0, "window": 300.0, **lasting})
    found = backtest(rule, days=3 / 24 - 0.5 / DAY, every=pace, alternatives=False)
    assert clock.epoch(found.start) == start
    registry.register_rule(rule)
    for look in range(found.looks):
        passes.look(threading.Event(), sight=LiveSight(at=start + (look + 1) * pace + SETTLE))
    kept = Alert.objects.filter(rule=rule.name).exclude(fired_at=None)
    told = {(one.key, _at(one.fired_at, -SETTLE), _at(one.resolved_at, -SETTLE)) for one in kept}
    assert {(one.key, _at(one.fired), _at(one.ended)) for one in found.firings} == told
    assert len(found.firings) == len(told) > 1
    assert any(one.flapping for one in kept) == (not lasting)


def _at(moment: Any, more: float = 0.0) -> float | None:
    return None if moment is None else clock.epoch(moment) + more
