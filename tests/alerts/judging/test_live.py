"""The judges find in the worker's sight what they find in a test's: queries answer in the shape they want."""

from __future__ import annotations

import time
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from django_qaprod import alerts
from django_qaprod.alerts.judging.base import Judgement
from django_qaprod.alerts.sight import LiveSight
from django_qaprod.pipeline import cells
from django_qaprod.records import Cell
from django_qaprod.specs import RuleSpec
from django_qaprod.store import numbers

pytestmark = pytest.mark.django_db(databases="__all__")

HOUR = timedelta(hours=1)
REQUESTS, ERRORS = alerts.requests(), alerts.requests().errors()


@pytest.fixture
def _requests() -> None:
    """Forty requests of one route, of which twelve failed, and 400 of another, a few minutes ago."""
    at = int(time.time()) // 60 * 60 - 180
    stored = []
    for route, outcome, status, count in (
        ("apply", "server_error", 500, 12),
        ("apply", "ok", 200, 28),
        ("home", "ok", 200, 400),
    ):
        of = [((route, "GET", status, outcome, "Firefox"), [0.1] * count)]
        stored += cells.of_requests(of, at)
    stored.append(Cell(name="queue", label="mail", attributes=(), start=at, count=2, total=10.0, gauge=True))
    numbers.save(stored)


def judged(spec: RuleSpec) -> Judgement:
    sight = LiveSight(previous=time.time() - 60)
    judgement: Judgement = import_module(f"django_qaprod.alerts.judging.{spec.kind}").judge(spec, sight)
    return judgement


def told(rule: Any) -> dict[str, bool]:
    judgement = judged(rule.spec)
    assert not judgement.silent
    return {verdict.key: verdict.wrong for verdict in judgement.verdicts}


@pytest.mark.usefixtures("_requests")
def test_what_is_wrong_is_told_of_what_is_stored() -> None:
    assert told(alerts.Threshold("a", of=ERRORS, at_least=12)) == {"": True}
    assert told(alerts.Threshold("b", of=ERRORS, at_least=13)) == {"": False}
    assert told(alerts.Threshold("c", of=REQUESTS, at_least=41, by="route")) == {
        "": False,
        "apply": False,
        "home": True,
    }
    assert told(alerts.Ratio("d", of=ERRORS, per=REQUESTS, above=0.05, by="route")) == {
        "": False,
        "apply": True,
        "home": False,
    }
    assert told(alerts.Ratio("e", of=ERRORS, per=REQUESTS, above=0.02)) == {"": True}
    assert told(alerts.Absence("f", of=REQUESTS, window=HOUR)) == {"": False}
    assert told(alerts.Heartbeat("g", of=REQUESTS, every=HOUR)) == {"": False}
    assert told(alerts.BurnRate("h", of=ERRORS, per=REQUESTS, objective=0.999)) == {"": True}
    assert told(alerts.BurnRate("i", of=ERRORS, per=REQUESTS, objective=0.999, by="route")) == {
        "": False,
        "apply": True,
        "home": False,
    }
    sync = alerts.OutOfSync("j", one=REQUESTS, other=ERRORS, within=timedelta(minutes=1), by="route")
    assert told(sync) == {"": True}
    queue = alerts.gauge("queue")
    assert told(alerts.Threshold("k", of=queue, at_least=5)) == {"": True}
    assert told(alerts.Threshold("l", of=queue, at_most=4, by="label")) == {"": False, "mail": False}


@pytest.mark.parametrize("by", ["", "route"])
def test_nothing_stored_is_no_error_of_a_judge(by: str) -> None:
    for rule in (
        alerts.Threshold("a", of=ERRORS, at_least=1, by=by),
        alerts.Threshold("b", of=ERRORS, at_most=1, by=by),
        alerts.Threshold("c", of=alerts.gauge("queue"), at_least=1, by=by),
        alerts.Ratio("d", of=ERRORS, per=REQUESTS, above=0.02, by=by),
        alerts.Absence("e", of=ERRORS, window=HOUR),
        alerts.Heartbeat("f", every=HOUR),
        alerts.Heartbeat("g", cron="@hourly"),
        alerts.BurnRate("h", of=ERRORS, per=REQUESTS, objective=0.999, by=by),
        alerts.OutOfSync("i", one=REQUESTS, other=ERRORS, within=HOUR, by=by),
    ):
        judgement = judged(rule.spec)
        assert not any(verdict.wrong for verdict in judgement.verdicts)
        assert bool(judgement.verdicts) != bool(judgement.silent)
