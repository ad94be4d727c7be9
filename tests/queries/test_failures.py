from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_qaprod import registry
from django_qaprod.conf import events_alias, telemetry_alias
from django_qaprod.models import Affected, Deploy, Event, Failure, Occurrence, Stack
from django_qaprod.queries import failures, stacks
from django_qaprod.queries.series import Window
from django_qaprod.records import Cell, new_id
from django_qaprod.registry import JourneySpec, StepSpec
from django_qaprod.store import event_rollups, numbers, rollups
from tests.queries.conftest import NOW

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("frozen")]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def failure(name: str = "a") -> Failure:
    return Failure.objects.create(
        fingerprint=name, kind="unhandled", error_type="KeyError", first_seen=NOW, last_seen=NOW
    )


def count(failure: Failure, at: datetime, n: int = 1) -> None:
    label = str(failure.pk)
    start = int(at.timestamp()) // 60 * 60
    numbers.save(
        [Cell(name="qaprod.failures", label=label, attributes=(("failure", label),), start=start, count=n)]
    )


def occurrence(failure: Failure, ago: timedelta = MINUTE, **values: Any) -> Occurrence:
    return Occurrence.objects.create(
        id=new_id(), failure=failure, at=NOW - ago, severity="error", rank=0, **values
    )


@pytest.mark.parametrize("rolled_up", [False, True])
def test_sparklines(rolled_up: bool, django_assert_num_queries: Any) -> None:
    first, second, silent = failure("a"), failure("b"), failure("c")
    count(first, NOW, 3)
    count(first, NOW - 5 * HOUR, 2)
    count(first, NOW - 30 * HOUR, 4)
    count(second, NOW - 13 * DAY)
    count(second, NOW - 14 * DAY)
    if rolled_up:
        rollups.roll_up()
    with django_assert_num_queries(3, using=telemetry_alias()):
        found = failures.sparklines([first.pk, second.pk, silent.pk])
    assert found[first.pk].day == [0] * 18 + [2, 0, 0, 0, 0, 3]
    assert found[first.pk].fortnight == [0] * 12 + [4, 5]
    assert found[second.pk].fortnight == [1] + [0] * 13
    assert found[silent.pk] == failures.Sparkline(day=[0] * 24, fortnight=[0] * 14)
    assert failures.sparklines([]) == {}


def test_what_a_failures_page_shows() -> None:
    found = failure()
    count(found, NOW - HOUR, 7)
    for number in range(4):
        occurrence(found, route="apply/" if number else "jobs/", release="v1", browser="")
    occurrence(failure("other"), route="else/")
    Deploy.objects.create(release="v0", at=NOW - 2 * DAY)
    Deploy.objects.create(release="v1", at=NOW - HOUR)
    page = failures.detail(found.pk, Window.last(DAY))
    assert sum(point.count for point in page.points) == 7
    assert [(share.value, share.count, share.part) for share in page.routes] == [
        ("apply/", 3, 0.75),
        ("jobs/", 1, 0.25),
    ]
    assert [share.value for share in page.releases] == ["v1"]
    assert page.browsers == []
    assert page.kept == 4
    assert [deploy.release for deploy in page.deploys] == ["v1"]
    assert page.impact == []


@pytest.fixture
def application() -> Any:
    with registry.isolated():
        steps = tuple(StepSpec(name=name, title=name) for name in ("started", "submitted"))
        spec = JourneySpec(name="application", title="Application", module=__name__, steps=steps)
        registry.register(spec)
        yield spec


@pytest.mark.parametrize("rolled_up", [False, True])
def test_what_it_did_to_a_journey(application: JourneySpec, rolled_up: bool) -> None:
    for number in range(40):
        Event.objects.create(
            id=new_id(), journey="application", step="started", subject=str(number), at=NOW - 3 * HOUR
        )
    Event.objects.create(
        id=new_id(), journey="application", step="started", subject="early", at=NOW - 2 * DAY
    )
    Event.objects.create(id=new_id(), journey="application", step="started", subject="early", at=NOW - HOUR)
    found = failure()

    def meet(key: str, *, ago: timedelta = HOUR, served: bool = True, **values: str) -> None:
        Affected.objects.create(
            **{"failure": found, "who": "subject", "journey": "application", "key": key, **values},
            at=NOW - ago,
            served=served,
        )

    for number in range(11):
        meet(str(number), served=number < 8)
    meet("early")
    meet("0", ago=2 * DAY, journey="other")
    meet("77", who="user", journey="")
    if rolled_up:
        event_rollups.roll_up()
    (impact,) = failures.detail(found.pk, Window.last(DAY)).impact
    assert (impact.title, impact.met, impact.started, impact.served) == ("Application", 12, 41, 9)


def test_who_was_served_may_have_gone_on(application: JourneySpec) -> None:
    """To a later step than any before, since they met it; those who were not served are not counted."""
    found, met = failure(), NOW - HOUR

    def take(subject: str, **steps: timedelta) -> None:
        for step, after in steps.items():
            Event.objects.create(
                id=new_id(), journey="application", step=step, subject=subject, at=met + after
            )

    before, after = timedelta(minutes=-5), timedelta(minutes=5)
    take("went on", started=before, submitted=after)
    take("stays", started=before)
    take("was there", started=2 * before, submitted=before)
    take("was there and came again", started=2 * before, submitted=before)
    take("was there and came again", submitted=after)
    take("was on the way to the first", started=after)
    take("was on the way and went on", started=after, submitted=2 * after)
    take("was not served", started=before, submitted=after)
    for key in ("unknown", *Event.objects.order_by().values_list("subject", flat=True).distinct()):
        Affected.objects.create(
            failure=found, who="subject", journey="application", key=key, at=met, served="not" not in key
        )
    (impact,) = failures.detail(found.pk, Window.last(DAY)).impact
    assert (impact.met, impact.served, impact.went_on) == (8, 7, 2)


def test_a_journey_that_is_not_declared_any_more() -> None:
    found = failure()
    Affected.objects.create(failure=found, who="subject", journey="gone", key="1", at=NOW - HOUR)
    (impact,) = failures.detail(found.pk, Window.last(DAY)).impact
    assert (impact.journey, impact.title, impact.met, impact.started) == ("gone", "gone", 1, None)


def test_the_number_of_queries_is_constant(application: JourneySpec, django_assert_num_queries: Any) -> None:
    found = failure()
    for number in range(30):
        occurrence(found)
        count(found, NOW - number * HOUR)
        Affected.objects.create(
            failure=found, who="subject", journey="application", key=str(number), at=NOW - HOUR
        )
    if telemetry_alias() == events_alias():
        with django_assert_num_queries(7):
            failures.detail(found.pk, Window.last(DAY))
        return
    with django_assert_num_queries(5, using=telemetry_alias()), django_assert_num_queries(2):
        failures.detail(found.pk, Window.last(DAY))


def test_occurrences_are_paged_the_latest_first(django_assert_num_queries: Any) -> None:
    found = failure()
    ids = [occurrence(found, ago=number * MINUTE).pk for number in range(5)]
    with django_assert_num_queries(2, using=telemetry_alias()):
        page = failures.occurrences(found.pk, page=2, per_page=2)
    assert [item.pk for item in page.items] == ids[2:4]
    assert (page.page, page.pages, page.total) == (2, 3, 5)
    assert failures.occurrences(found.pk, page=99, per_page=2).page == 3
    empty = failures.occurrences(failure("empty").pk)
    assert (empty.items, empty.page, empty.pages, empty.total) == ([], 1, 1, 0)


def test_a_chain_with_its_frames() -> None:
    frame = {
        "file": "jobs/views.py",
        "line": 7,
        "function": "apply",
        "module": "jobs.views",
        "in_app": True,
        "before": ["a", "b"],
        "code": "raise",
        "after": ["c"],
    }
    Stack.objects.create(digest="d", frames=json.dumps([[frame, frame], []]), last_used=NOW)
    link = {"error_type": "KeyError", "message": "'x'", "notes": ["n"], "relation": "cause"}
    first, second, third = failures.chain(occurrence(failure(), stack="d", chain=[link, {}, link]))
    assert first.frames[0].file == "jobs/views.py"
    assert first.frames[0].before == ["a", "b"]
    assert (first.error_type, first.notes, first.relation) == ("KeyError", ["n"], "cause")
    assert (second.error_type, second.frames, third.frames) == ("", [], [])


def test_a_stack_that_was_pruned_has_no_frames() -> None:
    assert failures.frames(occurrence(failure("x"), stack="gone")) == []
    assert failures.chain(occurrence(failure("y"), stack="", chain={"not": "a list"})) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["file", "line", "before", "code", "in_app"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(json_values)
def test_foreign_json_never_breaks_a_page(value: object) -> None:
    for stack in stacks.parsed_frames(json.dumps(value)):
        for frame in stack:
            assert isinstance(frame.file, str)
            assert isinstance(frame.line, int)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "x" * 3_000_000, "null", '[[{"line": "x"}]]'])
def test_damaged_text_never_breaks_a_page(text: str) -> None:
    assert stacks.parsed_frames(text) in ([], [[stacks.Frame()]])


def test_a_huge_stack_is_bounded() -> None:
    text = json.dumps([[{"file": "f" * 5000, "before": ["x"] * 100}] * 50] * 10)
    assert len(text) > 2_000_000
    assert stacks.parsed_frames(text) == []
    found = stacks.parsed_frames(json.dumps([[{"file": "f" * 5000, "before": ["x"] * 100}] * 300]))
    assert (len(found[0]), len(found[0][0].file), len(found[0][0].before)) == (250, 1000, 20)
