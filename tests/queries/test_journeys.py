from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_qaprod import registry
from django_qaprod.conf import telemetry_alias
from django_qaprod.exceptions import UnknownStepError
from django_qaprod.histogram import RELATIVE_ERROR
from django_qaprod.models import Bucket, Cursor, Event, Series
from django_qaprod.queries import journeys
from django_qaprod.queries.series import Window
from django_qaprod.records import new_id
from django_qaprod.registry import JourneySpec, StepSpec
from django_qaprod.store import event_rollups
from tests.queries.conftest import NOW

pytestmark = pytest.mark.django_db(databases="__all__")

STEPS = ("started", "saved", "submitted")
SPEC = JourneySpec(
    name="application",
    title="Application",
    module=__name__,
    steps=tuple(StepSpec(name=name, title=name.capitalize()) for name in STEPS),
)
H = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _declared(frozen: datetime) -> Iterator[None]:
    with registry.isolated():
        registry.register(SPEC)
        yield


def take(step: str, subject: str, at: datetime, *, variant: str = "", browser: str = "") -> Event:
    return Event(
        id=new_id(),
        journey="application",
        step=step,
        subject=subject,
        at=at,
        variant=variant,
        browser=browser,
    )


def event(step: str, subject: str, ago: timedelta, **values: str) -> None:
    take(step, subject, NOW - ago, **values).save()


class Reference:
    """The definitions, taken at their word, over all events."""

    def __init__(self, window: Window) -> None:
        self.taken: Counter[Any] = Counter()
        self.reached: Counter[Any] = Counter()
        self.durations: dict[Any, list[float]] = {}
        firsts: dict[tuple[str, str], Event] = {}
        events = sorted(Event.objects.all(), key=lambda event: (event.at, event.id))
        for event in events:
            firsts.setdefault((event.subject, event.step), event)
        for event in events:
            if window.start <= event.at < window.end:
                self._add(event, firsts)

    def _add(self, event: Event, firsts: dict[tuple[str, str], Event]) -> None:
        key = (event.step, event.variant, event.browser)
        self.taken[key] += 1
        if firsts[event.subject, event.step] is not event:
            return
        self.reached[key] += 1
        position = STEPS.index(event.step)
        for origin in {STEPS[max(position - 1, 0)], STEPS[0]} - {event.step}:
            first = firsts.get((event.subject, origin))
            if first is not None and first.at <= event.at:
                self.durations.setdefault((origin, *key), []).append((event.at - first.at).total_seconds())


def agrees(window: Window) -> None:
    found, wanted = journeys.facts(SPEC, window), Reference(window)
    assert found.taken == wanted.taken
    assert found.reached == wanted.reached
    assert {key: value.count for key, value in found.durations.items()} == {
        key: len(value) for key, value in wanted.durations.items()
    }
    for key, value in found.durations.items():
        assert value.total == pytest.approx(sum(wanted.durations[key]))
        assert sum(value.histogram.values()) == value.count


# Few subjects and coarse times, so that repeated steps, ties and hour boundaries are common.
moments = st.one_of(
    st.integers(0, 36 * 4).map(lambda quarters: timedelta(minutes=15 * quarters)),
    st.integers(0, 14 * 24).map(lambda hours: timedelta(hours=hours)),
    st.integers(0, 20).map(lambda minutes: timedelta(minutes=minutes)),
)
events = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.sampled_from("12345"),
        moments,
        st.sampled_from(["", "long"]),
        st.sampled_from(["", "Edge"]),
    ),
    max_size=40,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(early=events, late=events, starts=moments, length=moments, passed=st.integers(0, 30))
def test_rows_and_roll_ups_agree_with_the_definition_in_any_window(
    early: list[Any], late: list[Any], starts: timedelta, length: timedelta, passed: int
) -> None:
    for model in (Event, Bucket, Series, Cursor):
        model.objects.all().delete()
    top = NOW.replace(minute=15, second=0)
    window = Window(top - starts, top - starts + length)

    def store(some: list[Any], within: timedelta) -> None:
        Event.objects.bulk_create(
            take(step, subject, top - ago, variant=variant, browser=browser)
            for step, subject, ago, variant, browser in some
            if ago < within
        )

    store(early, 30 * DAY)
    agrees(window)
    event_rollups.roll_up()
    agrees(window)
    # What a run every few minutes still finds: commits up to a day late.
    store(late, 24 * H)
    event_rollups.roll_up()
    agrees(window)
    with time_machine.travel(NOW + passed * DAY, tick=False):
        event_rollups.roll_up()
        agrees(window)
        agrees(Window(window.start - 10 * DAY, window.end))


@pytest.mark.parametrize("rolled_up", [False, True])
def test_a_funnel_counts_converts_and_times(rolled_up: bool) -> None:
    for number in range(10):
        event("started", f"{number}", 5 * H, variant="long", browser="Edge")
    for number in range(4):
        event("saved", f"{number}", 5 * H - timedelta(minutes=10), variant="long", browser="Edge")
        event("saved", f"{number}", 4 * H, variant="long", browser="Edge")
    event("submitted", "0", 3 * H, variant="long", browser="Edge")
    event("submitted", "9", 3 * H, variant="long", browser="Edge")
    event("started", "old", 30 * H, variant="short")
    event("submitted", "old", 29 * H, variant="short")
    if rolled_up:
        event_rollups.roll_up()
    found = journeys.funnel(SPEC, Window.last(24 * H))
    started, saved, submitted = found.steps
    assert (found.title, found.error) == ("Application", RELATIVE_ERROR)
    assert (started.step, started.title, started.events, started.reached) == ("started", "Started", 10, 10)
    assert (started.conversion, started.overall, started.converted, started.dropped) == (None, None, None, 0)
    assert (saved.events, saved.reached, saved.converted, saved.conversion, saved.dropped) == (
        8,
        4,
        4,
        0.4,
        6,
    )
    assert saved.median == pytest.approx(600, rel=RELATIVE_ERROR)
    assert (submitted.reached, submitted.converted, submitted.conversion) == (2, 1, 0.25)
    assert (submitted.overall, submitted.dropped) == (0.2, 3)
    assert submitted.overall_median == pytest.approx(2 * 3600, rel=RELATIVE_ERROR)
    assert submitted.p95 == pytest.approx(2 * 3600 - 600, rel=RELATIVE_ERROR)
    assert (started.previous_events, submitted.previous_reached) == (1, 1)
    assert (submitted.previous_conversion, submitted.previous_overall) == (None, 1.0)


def test_a_funnel_of_one_variant_or_browser() -> None:
    event("started", "1", 5 * H, variant="long", browser="Edge")
    event("started", "2", 5 * H, variant="short", browser="Edge")
    event("submitted", "2", 4 * H, variant="short", browser="Safari")
    event_rollups.roll_up()
    window = Window.last(24 * H)
    assert [step.events for step in journeys.funnel(SPEC, window, variant="long").steps] == [1, 0, 0]
    assert [step.events for step in journeys.funnel(SPEC, window, browser="Edge").steps] == [2, 0, 0]
    assert journeys.variants(SPEC, window) == ["long", "short"]
    assert journeys.browsers(SPEC, window) == ["Edge", "Safari"]
    by_variant = journeys.compare(SPEC, window)
    assert [funnel.variant for funnel in by_variant] == ["short", "long"]
    assert by_variant[0] == journeys.funnel(SPEC, window, variant="short")
    assert [funnel.browser for funnel in journeys.compare(SPEC, window, by="browser")] == ["Edge", "Safari"]
    assert journeys.reached(SPEC, "started", window) == 2


@pytest.mark.parametrize("rolled_up", [False, True])
@pytest.mark.parametrize(("seconds", "length"), [(3600, 24 * H), (86400, 10 * DAY), (None, 3 * DAY)])
def test_a_trend_stands_beside_the_week_before(
    rolled_up: bool, seconds: int | None, length: timedelta
) -> None:
    for ago in (timedelta(), 2 * H, 2 * H, 7 * DAY, 7 * DAY + 2 * H, 8 * DAY, 15 * DAY):
        event("started", "1", ago + timedelta(minutes=1))
        event("saved", "1", ago + timedelta(minutes=1))
    if rolled_up:
        event_rollups.roll_up()
    points = journeys.trend(SPEC, "started", Window.last(length), seconds)
    start = points[0].start
    within = [event.at for event in Event.objects.filter(step="started") if event.at >= start]
    assert sum(point.count for point in points) == len(within)
    assert points[-1].count == (3 if seconds == 86400 else 1)
    assert points[-1].week_before == (2 if seconds == 86400 else 1)
    assert {later.start - earlier.start for earlier, later in pairwise(points)} == {
        timedelta(seconds=seconds or 3600)
    }


def test_what_is_measured_once_makes_any_number_of_funnels(django_assert_num_queries: Any) -> None:
    take("started", "1", NOW - timedelta(hours=1)).save()
    measured = journeys.Measured(SPEC, Window.last(DAY))
    with (
        django_assert_num_queries(0),
        django_assert_num_queries(0, connection=connections[telemetry_alias()]),
    ):
        assert measured.funnel().steps[0].events == 1
        assert len(measured.compare(by="variant")) == len(measured.compare(by="browser")) == 1


def test_a_trend_of_an_unknown_step_is_refused() -> None:
    with pytest.raises(UnknownStepError):
        journeys.trend(SPEC, "sumbitted", Window.last(DAY))


def test_today_begins_at_midnight_in_the_given_zone() -> None:
    amsterdam = ZoneInfo("Europe/Amsterdam")
    midnight = datetime(2026, 3, 20, tzinfo=amsterdam)
    take("started", "1", midnight - timedelta(minutes=1)).save()
    take("started", "2", midnight).save()
    take("started", "2", midnight + timedelta(seconds=1)).save()
    take("started", "3", midnight - 7 * DAY).save()
    take("started", "3", midnight - 7 * DAY + timedelta(seconds=1)).save()
    take("started", "4", NOW - 7 * DAY + timedelta(minutes=1)).save()
    started, *_ = journeys.today(SPEC, zone=amsterdam)
    assert (started.step, started.events, started.reached, started.week_before) == ("started", 2, 1, 1)
    assert journeys.today(SPEC)[0].reached == 1  # The project's time zone is Amsterdam's.
    assert journeys.today(SPEC, zone=UTC)[0].reached == 0


def test_an_empty_journey_is_all_zeros() -> None:
    found = journeys.funnel(SPEC, Window.last(DAY))
    assert [(step.events, step.conversion, step.median) for step in found.steps] == [(0, None, None)] * 3
    assert journeys.compare(SPEC, Window.last(DAY)) == []


def test_the_price_of_a_funnel_is_that_of_its_window(django_assert_max_num_queries: Any) -> None:
    for ago in range(3, 200):
        event("started", str(ago), ago * H)
    event_rollups.roll_up()
    with django_assert_max_num_queries(14):
        journeys.funnel(SPEC, Window.last(24 * H))
    with django_assert_max_num_queries(14):
        journeys.funnel(SPEC, Window.last(3 * DAY))
