"""Numbers of what rules watch: right to their grain, in few queries, whatever has been rolled up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from django_qaprod import clock, registry
from django_qaprod.exceptions import DeclarationError
from django_qaprod.models import Breach, Bucket, Event, Failure, Health, JobRun
from django_qaprod.queries import measures
from django_qaprod.records import Cell, new_id
from django_qaprod.registry import JourneySpec, StepSpec
from django_qaprod.specs import Measure
from django_qaprod.store import event_rollups, failures, numbers, rollups
from tests.counting import Counted
from tests.queries.conftest import NOW
from tests.store import make

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("frozen")]

AT = NOW.timestamp()
MINUTE, HOUR, DAY = 60, 3600, 86400
SUBMITTED = Measure(kind="step", journey="application", name="submitted")


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    with registry.isolated():
        steps = tuple(StepSpec(name=name, title=name) for name in ("started", "submitted"))
        spec = JourneySpec(
            name="application", title="Application", module=__name__, steps=steps, variant="form_type"
        )
        registry.register(spec)
        yield


def take(*ago: float, step: str = "submitted", **fields: Any) -> None:
    """Store events that happened so many seconds ago."""
    Event.objects.bulk_create(
        Event(id=new_id(), journey="application", step=step, subject="7", at=clock.moment(AT - one), **fields)
        for one in ago
    )


def count(name: str, ago: float, times: int = 1, *, label: str = "", **attributes: str) -> None:
    """Store numbers of a minute, as a drainer does."""
    start, given = int(AT - ago) // 60 * 60, tuple(attributes.items())
    numbers.save([Cell(name=name, label=label, attributes=given, start=start, count=times)])


def read(name: str, ago: float, *values: float, label: str) -> None:
    """Store readings of a gauge."""
    start, host = int(AT - ago) // 60 * 60, (("host", label),)
    cell = Cell(
        name=name, label=label, attributes=host, start=start, count=len(values), total=sum(values), gauge=True
    )
    numbers.save([cell])


def asked(route: str, outcome: str, ago: float, times: int = 1) -> None:
    attributes = {"http.route": route, "qaprod.outcome": outcome, "http.response.status_code": "200"}
    count("http.server.request.duration", ago, times, label=route, **attributes)


def test_steps_are_counted_to_the_second() -> None:
    """What happened right at the beginning counts, what happened at the end does not."""
    take(0, 10, 299, 300, 301)
    take(10, step="started")
    with Counted() as queries:
        assert measures.counts(SUBMITTED, AT - 300, AT) == {"": [3.0]}
    assert len(queries) == 1


def test_steps_of_a_stretch_begin_at_its_start() -> None:
    """The last may be shorter; those in which nothing happened are zero."""
    take(149, 120, 91, 29, 1)
    assert measures.counts(SUBMITTED, AT - 150, AT, step=60) == {"": [3.0, 0.0, 2.0]}
    assert measures.counts(SUBMITTED, AT - 10, AT - 5, step=60) == {"": [0.0]}


def test_variants_browsers_and_properties_are_told_apart() -> None:
    """The property that the journey calls its variant is a column."""
    take(5, 6, variant="long", browser="firefox", properties={"form_type": "long", "campaign": "spring"})
    take(7, variant="short", browser="safari", properties={"form_type": "short"})
    for by, expected in (
        ("variant", {"long": [2.0], "short": [1.0]}),
        ("form_type", {"long": [2.0], "short": [1.0]}),
        ("browser", {"firefox": [2.0], "safari": [1.0]}),
        ("campaign", {"spring": [2.0], "": [1.0]}),
    ):
        assert measures.counts(SUBMITTED, AT - 60, AT, by=by) == expected
    steps = measures.counts(SUBMITTED, AT - 120, AT, step=60, by="campaign")
    assert steps == {"spring": [0.0, 2.0], "": [0.0, 1.0]}
    assert measures.counts(SUBMITTED, AT - 3, AT, by="variant") == {}


def test_a_property_that_is_an_id_does_not_make_a_thousand_alerts() -> None:
    """The most frequent are told apart, the rest are counted together."""
    for number in range(70):
        take(5, properties={"pupil": str(number)})
    take(5, properties={"pupil": "69"})
    found = measures.counts(SUBMITTED, AT - 60, AT, by="pupil")
    assert len(found) == 50
    assert found["69"] == [2.0]
    assert found["__overflow__"] == [21.0]
    assert sum(counts[0] for counts in found.values()) == 71.0


@pytest.mark.parametrize("rolled_up", [False, True])
def test_hours_are_the_same_before_and_after_the_roll_up(rolled_up: bool) -> None:
    """Whole hours, wherever they lie, and only those that are asked for."""
    hour = int(AT) // HOUR * HOUR
    starts = [hour - HOUR, hour - DAY, hour - 7 * DAY, hour - 7 * DAY + HOUR]
    take(AT - hour + HOUR, AT - hour + 1, variant="long")
    take(AT - hour + 10, variant="short")
    take(AT - hour + 7 * DAY - 60, AT - hour + 7 * DAY - HOUR, AT - hour + 3 * DAY, variant="long")
    if rolled_up:
        event_rollups.roll_up()
    expected = {hour - HOUR: 3.0, hour - 7 * DAY: 1.0, hour - 7 * DAY + HOUR: 1.0}
    assert measures.hours(SUBMITTED, starts) == {"": expected}
    by = measures.hours(SUBMITTED, starts, by="variant")
    assert by["short"] == {hour - HOUR: 1.0}
    assert by["long"] == {**expected, hour - HOUR: 2.0}
    assert measures.hours(SUBMITTED, starts, by="campaign")[""] == expected


def test_hours_of_weeks_cost_three_queries_once_they_are_rolled_up() -> None:
    """However many events there were."""
    hour = int(AT) // HOUR * HOUR
    take(*(week * 7 * DAY + AT - hour + 5 for week in range(8)))
    event_rollups.roll_up()
    with Counted() as queries:
        found = measures.hours(SUBMITTED, [hour - HOUR - week * 7 * DAY for week in range(8)])
    assert list(found[""].values()) == [1.0] * 8
    assert len(queries) == 3


def test_hours_that_the_roll_ups_have_let_go_of_are_read_from_the_rows() -> None:
    """Events are kept longer than hours of numbers."""
    hour = int(AT) // HOUR * HOUR - 70 * DAY
    take(AT - hour - 5, AT - hour - 50)
    event_rollups.roll_up()
    # As retention does.
    Bucket.objects.filter(resolution=HOUR).delete()
    assert measures.hours(SUBMITTED, [hour]) == {"": {hour: 2.0}}


def test_a_long_stretch_is_the_same_from_roll_ups_as_from_rows() -> None:
    """Its edges come from rows, and nothing counts twice."""
    ago = [position * 1777.0 for position in range(1, 400)]
    take(*ago, variant="long")
    before = measures.counts(SUBMITTED, AT - 5 * DAY, AT, by="variant")
    start = int(AT - 5 * DAY) // HOUR * HOUR
    stepped = measures.counts(SUBMITTED, start, AT, step=6 * HOUR)
    event_rollups.roll_up()
    with Counted() as queries:
        assert measures.counts(SUBMITTED, AT - 5 * DAY, AT, by="variant") == before
    assert before == {"long": [float(sum(one <= 5 * DAY for one in ago))]}
    assert len(queries) == 5
    assert measures.counts(SUBMITTED, start, AT, step=6 * HOUR) == stepped
    assert sum(stepped[""]) == sum(one <= AT - start for one in ago)


@pytest.mark.parametrize("rolled_up", [False, True])
def test_the_first_and_the_last_of_a_step(rolled_up: bool) -> None:
    """To the moment, while their rows are kept; of a step that was never taken there is none."""
    assert measures.first(SUBMITTED) is None
    assert measures.last(SUBMITTED, AT - HOUR) is None
    take(9 * DAY, 3 * DAY, 90)
    if rolled_up:
        event_rollups.roll_up()
    assert measures.first(SUBMITTED) == AT - 9 * DAY
    assert measures.last(SUBMITTED, AT - HOUR) == AT - 90
    assert measures.last(SUBMITTED, AT - 60) is None
    if rolled_up:
        Event.objects.filter(at__lt=clock.moment(AT - 4 * DAY)).delete()
        assert measures.first(SUBMITTED) == (AT - 9 * DAY) // HOUR * HOUR


def test_requests_are_chosen_by_route_and_outcome() -> None:
    """An error is a server's."""
    asked("apply/", "ok", 90, 10)
    asked("apply/", "server_error", 90, 3)
    asked("apply/", "degraded", 90, 2)
    asked("list/", "server_error", 90, 1)
    window = (AT - 300, AT)
    route, whole = Measure(kind="requests", name="apply/"), Measure(kind="requests")
    errors = whole._replace(where=(("outcome", "error"),))
    with Counted() as queries:
        assert measures.counts(route, *window) == {"": [15.0]}
    assert len(queries) == 2
    assert measures.counts(whole, *window) == {"": [16.0]}
    assert measures.counts(errors, *window) == {"": [4.0]}
    assert measures.counts(errors, *window, by="route") == {"apply/": [3.0], "list/": [1.0]}
    assert measures.counts(whole._replace(where=(("outcome", "degraded"),)), *window) == {"": [2.0]}
    assert measures.counts(whole, AT - 600, AT - 300) == {"": [0.0]}
    with pytest.raises(DeclarationError, match="route, status, method"):
        measures.counts(whole, *window, by="variant")


def test_requests_of_browsers_have_numbers_of_their_own() -> None:
    """Errors of one browser family among them."""
    for family, outcome, times in (("firefox", "ok", 5), ("firefox", "server_error", 2), ("safari", "ok", 1)):
        attributes = {"http.route": "apply/", "browser": family, "qaprod.outcome": outcome}
        count("qaprod.requests.browser", 60, times, label="apply/", **attributes)
    apply = Measure(kind="requests", name="apply/")
    assert measures.counts(apply, AT - 300, AT, by="browser") == {"firefox": [7.0], "safari": [1.0]}
    errors = apply._replace(where=(("outcome", "error"),))
    assert measures.counts(errors, AT - 300, AT, by="browser") == {"firefox": [2.0]}


def test_a_stretch_of_numbers_is_widened_to_whole_minutes() -> None:
    """So that what happened in it is in it; one that has passed is no longer than was asked for."""
    for minute in range(12):
        count("n", minute * 60)
    watched = Measure(kind="series", name="n")
    # From 12:25:15, which is 12:25, to 12:30:15: six minutes.
    assert measures.counts(watched, AT - 300, AT) == {"": [6.0]}
    assert measures.counts(watched, AT - 600, AT - 300) == {"": [5.0]}
    assert measures.counts(watched, AT - 300, AT, step=120) == {"": [2.0, 2.0, 2.0]}
    assert measures.counts(watched, AT - 30, AT) == {"": [2.0]}


@pytest.mark.parametrize("rolled_up", [False, True])
def test_numbers_are_the_same_before_and_after_the_roll_up(rolled_up: bool) -> None:
    """Whatever is raw, minutes, hours or days."""
    watched = Measure(kind="series", name="n")
    for day in range(9):
        for minute in (5, 65, 300):
            count("n", day * DAY + minute * 60, 1 + day, label="a" if day % 2 else "b", kind="x")
    if rolled_up:
        rollups.roll_up()
    hour = int(AT) // HOUR * HOUR
    assert measures.counts(watched, AT - HOUR, AT) == {"": [1.0]}
    assert measures.counts(watched, AT - 20 * DAY, AT) == {"": [3.0 * 45]}
    assert measures.counts(watched, AT - 20 * DAY, AT, by="label") == {"a": [3.0 * 20], "b": [3.0 * 25]}
    labelled = watched._replace(where=(("kind", "x"), ("label", "a")))
    assert measures.counts(labelled, AT - 20 * DAY, AT) == {"": [60.0]}
    starts = [hour, hour - 7 * DAY, hour - DAY, hour - HOUR]
    assert measures.hours(watched, starts) == {
        "": {hour: 1.0, hour - 7 * DAY: 8.0, hour - DAY: 2.0, hour - HOUR: 1.0}
    }
    stepped = measures.counts(watched, hour - 3 * HOUR, hour + HOUR, step=HOUR)
    assert stepped == {"": [0.0, 0.0, 1.0, 1.0]}
    assert measures.last(watched, AT - HOUR) == int(AT - 300) // 60 * 60
    assert measures.last(watched, AT - 240) is None
    first = measures.first(watched)
    assert first is not None
    assert AT - 8 * DAY - 300 * 60 - DAY < first <= AT - 8 * DAY - 300 * 60


def test_failures_are_chosen_by_what_they_are() -> None:
    """At least that severe, on critical views, of a kind, a name, a journey, not what is silenced."""
    worst = {"critical": True, "severity": "critical", "journey": "application"}
    failures.save(
        [
            make.failure("a", at=AT - 90, **worst, route="apply/"),
            make.failure("a", at=AT - 80, **worst, route="edit/"),
            make.failure("b", at=AT - 70, kind="degraded", severity="warning", name="prefill"),
            make.failure("c", at=AT - 60, kind="logged", severity="error"),
        ]
    )
    window = (AT - 300, AT)
    every = Measure(kind="failures")

    def of(**where: str) -> list[float]:
        return measures.counts(every._replace(where=tuple(where.items())), *window)[""]

    with Counted() as queries:
        assert measures.counts(every, *window) == {"": [4.0]}
    assert len(queries) == 2
    assert of(critical="1") == [2.0]
    assert of(kind="degraded") == [1.0]
    assert (of(severity="info"), of(severity="error"), of(severity="critical")) == ([4.0], [3.0], [2.0])
    assert measures.counts(every._replace(name="prefill"), *window) == {"": [1.0]}
    assert measures.counts(every._replace(journey="application"), *window) == {"": [2.0]}
    assert measures.counts(every, *window, by="route") == {"apply/": [1.0], "edit/": [1.0], "": [2.0]}
    assert measures.counts(every, *window, by="kind") == {
        "unhandled": [2.0],
        "degraded": [1.0],
        "logged": [1.0],
    }
    assert measures.last(every, AT - 300) == AT - 60
    assert measures.first(every) == AT - 90
    Failure.objects.filter(fingerprint="a").update(state="silenced")
    assert measures.counts(every, *window) == {"": [2.0]}


def test_breaches_count_when_they_were_found() -> None:
    """Of one expectation or of all."""
    for place, name in enumerate(("reaches", "reaches", "is paid")):
        Breach.objects.create(
            expectation=name, kind="missing", journey="application", step="submitted", subject=str(place),
            event=new_id(), at=clock.moment(AT - DAY), due_at=clock.moment(AT - 600),
            found_at=clock.moment(AT - 60 * place),
        )  # fmt: skip
    every = Measure(kind="breaches")
    assert measures.counts(every, AT - 300, AT + 1) == {"": [3.0]}
    assert measures.counts(every, AT - 300, AT + 1, by="expectation") == {"reaches": [2.0], "is paid": [1.0]}
    assert measures.counts(every._replace(name="is paid"), AT - 300, AT + 1) == {"": [1.0]}
    assert measures.last(every._replace(name="is paid"), AT - 300) == AT - 120
    assert measures.first(every) == AT - 120


def test_readings_are_means_of_all_labels_or_of_each() -> None:
    """Nothing was read is not zero."""
    for ago, label, value in ((10, "web-1", 100.0), (10, "web-2", 300.0), (130, "web-1", 50.0)):
        read("memory", ago, value - 10, value + 10, label=label)
    watched = Measure(kind="gauge", name="memory")
    span = (AT - 180, AT)
    with Counted() as queries:
        assert measures.readings(watched, *span, step=60) == {"": [None, 50.0, 200.0]}
    assert len(queries) == 2
    assert measures.readings(watched, *span, step=60, by="label") == {
        "web-1": [None, 50.0, 100.0],
        "web-2": [None, None, 300.0],
    }
    assert measures.readings(watched, *span, step=60, by="host") == measures.readings(
        watched, *span, step=60, by="label"
    )
    one = watched._replace(where=(("label", "web-2"),))
    assert measures.readings(one, *span, step=0) == {"": [300.0]}
    assert measures.readings(watched._replace(name="nothing"), *span, step=0) == {"": [None]}
    with pytest.raises(DeclarationError, match="Only gauges"):
        measures.readings(SUBMITTED, *span, step=60)


def test_jobs_that_failed_and_drainers_that_cannot_are_counted_now() -> None:
    """Those that recovered, that are old, and gauges are not."""
    now = clock.now()
    for name, error, started in (
        ("roll_up", "ValueError", now),
        ("prune", "", now),
        ("gauge:queue", "ValueError", now),
        ("gone", "ValueError", now - timedelta(days=3)),
    ):
        JobRun.objects.create(name=name, started_at=started, error=error)
    Health.objects.create(host="web-1", part="drainer", errors=3, at=now - timedelta(seconds=30))
    Health.objects.create(host="web-2", part="drainer", errors=9, at=now - timedelta(hours=1))
    jobs, drainers = (Measure(kind="health", name=name) for name in ("jobs", "drainers"))
    assert measures.counts(jobs, AT - 60, AT) == {"": [1.0]}
    assert measures.counts(jobs, AT - 60, AT, by="job") == {"roll_up": [1.0]}
    assert measures.counts(drainers, AT - 120, AT, step=60, by="machine") == {"web-1": [0.0, 1.0]}


def test_what_cannot_be_measured_says_so() -> None:
    """The one who declared it reads the message."""
    with pytest.raises(DeclarationError, match="tides"):
        measures.counts(Measure(kind="tides"), AT - 60, AT)
    with pytest.raises(DeclarationError, match="told apart by"):
        measures.counts(Measure(kind="failures"), AT - 60, AT, by="browser")
    with pytest.raises(DeclarationError, match="told apart by"):
        measures.counts(Measure(kind="breaches"), AT - 60, AT, by="route")


def test_hours_of_no_starts_are_none() -> None:
    """A rule without history asks for nothing."""
    assert measures.hours(SUBMITTED, []) == {"": {}}
    assert measures.hours(SUBMITTED, [], by="variant") == {}


def test_old_numbers_are_known_by_the_hour() -> None:
    """Rows have times."""
    watched = Measure(kind="series", name="n")
    assert [measures.grain(watched, AT - days * DAY) for days in (1, 3, 70)] == [MINUTE, HOUR, DAY]
    assert measures.grain(SUBMITTED, AT - 70 * DAY) == 1
    with time_machine.travel(datetime.fromtimestamp(AT, NOW.tzinfo), tick=False):
        count("n", 5 * DAY, 4)
        rollups.roll_up()
    assert measures.counts(watched, AT - 5 * DAY - 60, AT - 5 * DAY + 60) == {"": [4.0]}


def test_a_whole_number_of_steps_is_that_many() -> None:
    """However floating point has it."""
    for tenths in range(300):
        end = AT + tenths / 10
        assert measures.size(end - 0.1 - 7 * 42.3, end - 0.1, 42.3) == 7
    assert measures.size(AT - 301, AT, 60) == 6
