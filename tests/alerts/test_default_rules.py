"""The rules that come with the app: silent where all is well or nobody comes, and wrong when it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine

from django_qaprod import clock, default_rules, metrics, registry
from django_qaprod.alerts.judging.base import Verdict
from django_qaprod.alerts.passes import judge
from django_qaprod.alerts.sight import LiveSight
from django_qaprod.models import Breach, Health, JobRun
from django_qaprod.queries import rules
from django_qaprod.records import Cell, new_id
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import failures, numbers
from tests.queries.conftest import NOW
from tests.store import make

pytestmark = pytest.mark.django_db(databases="__all__")

DOCS = Path(__file__).parents[2] / "docs"
AT = NOW.timestamp()
EVERY = {spec.name: spec for spec in default_rules.rules()}


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False), registry.isolated():
        yield


def wrong(name: str) -> dict[str, Verdict]:
    """What a rule says is wrong, by key."""
    judgement = judge(EVERY[name], LiveSight())
    return {verdict.key: verdict for verdict in judgement.verdicts if verdict.wrong}


def read(name: str, value: float, label: str = "web-1", ago: float = 60) -> None:
    start, host = int(AT - ago) // 60 * 60, (("host.name", label),)
    numbers.save(
        [Cell(name=name, label=label, attributes=host, start=start, count=4, total=4 * value, gauge=True)]
    )


def asked(outcome: str, times: int) -> None:
    attributes = (("http.route", "apply/"), ("qaprod.outcome", outcome))
    name, start = "http.server.request.duration", int(AT - 90) // 60 * 60
    numbers.save([Cell(name=name, label="apply/", attributes=attributes, start=start, count=times)])


def breach(state: str = "open", *, ago: float = 60) -> None:
    Breach.objects.create(
        expectation="reaches the school", kind="missing", journey="apply", step="submitted", subject="7",
        event=new_id(), at=clock.moment(AT - 3600), due_at=clock.moment(AT - 600),
        found_at=clock.moment(AT - ago), state=state,
    )  # fmt: skip


def fail(**fields: Any) -> None:
    failures.save([make.failure(at=AT - 60, route="apply/", **fields)])


def test_nothing_is_wrong_where_nobody_comes() -> None:
    """A site without visitors, on its first day."""
    assert {name: wrong(name) for name in EVERY} == {name: {} for name in EVERY}


def test_nothing_is_wrong_where_all_is_well() -> None:
    """Some errors in a thousand requests, degradations, errors of lesser views, and repairs."""
    asked("ok", 1000)
    asked("server_error", 20)
    asked("degraded", 200)
    fail()
    fail(fingerprint="d", kind="degraded", critical=True)
    breach(state="came")
    JobRun.objects.create(name="roll_up", started_at=clock.now(), succeeded_at=clock.now())
    Health.objects.create(host="web-1", part="sink.sentry", errors=1, at=clock.now())
    for name, value in (
        (metrics.SPOOL, 0.01),
        (metrics.DISK, 0.7),
        (metrics.LAG, 0.0),
        (metrics.SINK_LAG, 0.0),
    ):
        read(name, value)
    assert {name: wrong(name) for name in EVERY} == {name: {} for name in EVERY}


def test_a_breach_that_nobody_repairs_stays_wrong() -> None:
    """Hours after it was found, though no other has been found since."""
    breach(ago=5 * 3600)
    assert list(wrong(default_rules.NOT_MET)) == ["reaches the school"]


def test_three_requests_in_the_night_are_no_error_rate() -> None:
    """Even if all fail."""
    asked("server_error", 3)
    assert wrong(default_rules.SITE_FAILS) == {}


def read_both(name: str, one: float, other: float) -> None:
    read(name, one, "web-1")
    read(name, other, "web-2")


CASES: dict[str, tuple[Callable[[], object], str]] = {
    default_rules.CRITICAL_VIEW_FAILS: (lambda: fail(critical=True), "apply/"),
    default_rules.SITE_FAILS: (lambda: (asked("ok", 100), asked("server_error", 10)), ""),
    default_rules.NOT_MET: (breach, "reaches the school"),
    default_rules.SPOOL_FULL: (
        lambda: (read(metrics.SPOOL, 0.9), read(metrics.SPOOL, 0.1, "web-2")),
        "web-1",
    ),
    default_rules.DISK_FULL: (lambda: (read(metrics.DISK, 0.99), read(metrics.DISK, 0.1, "web-2")), "web-1"),
    default_rules.JOB_FAILS: (
        lambda: JobRun.objects.create(name="prune", started_at=clock.now(), error="OperationalError"),
        "prune",
    ),
    default_rules.WORKER_LATE: (lambda: read(metrics.LAG, 900.0, ""), ""),
    default_rules.DRAINER_FAILS: (
        lambda: Health.objects.create(host="web-1", part="drainer", errors=9, at=clock.moment(AT - 60)),
        "web-1",
    ),
    default_rules.SINK_STANDS: (lambda: read(metrics.SINK_LAG, 400.0, "web-1 sentry"), "web-1 sentry"),
}


@pytest.mark.parametrize("name", EVERY)
def test_what_should_be_told_is_wrong(name: str) -> None:
    """And the one that is wrong has its name, not all."""
    happens, key = CASES[name]
    happens()
    assert list(wrong(name)) == [key]
    assert [other for other in EVERY if other != name and wrong(other)] == []


def test_a_worker_that_was_away_and_is_back_is_no_news() -> None:
    """Its first reading says how long it was away; it has left the window before it would be told."""
    read(metrics.LAG, 3600.0, "", ago=150)
    read(metrics.LAG, 0.0, "", ago=60)
    assert wrong(default_rules.WORKER_LATE) == {}
    spec = EVERY[default_rules.WORKER_LATE]
    assert spec.numbers["for"] > spec.numbers["window"]


def test_they_are_on_unless_the_host_says_otherwise(settings: Any) -> None:
    """Or has a rule of that name itself."""
    own = RuleSpec(
        name=default_rules.SITE_FAILS, kind="threshold", of=Measure(kind="failures"), numbers={}, on=False
    )
    assert registry.rules() == default_rules.rules()
    registry.register_rule(own)
    assert [spec for spec in rules.effective() if spec.name == own.name] == [own]
    assert len(registry.rules()) == len(EVERY)
    settings.QAPROD = {"DEFAULT_RULES": False}
    assert registry.rules() == (own,)


def test_each_is_documented() -> None:
    """What it says, and what to do about it."""
    section = (DOCS / "alerts.md").read_text().partition("\n## Defaults")[2].partition("\n## ")[0]
    assert {name for name in EVERY if f"**{name}**" in section} == set(EVERY)
    assert all(spec.builtin and spec.description for spec in EVERY.values())
