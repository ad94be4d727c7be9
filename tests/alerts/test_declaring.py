"""Rules and routes are declared beside the models; what cannot be judged is refused where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from django_qaprod import Journey, Step, alerts, registry
from django_qaprod.alerts import declaration
from django_qaprod.alerts.measures import BEATS
from django_qaprod.exceptions import DeclarationError
from django_qaprod.queries import measures
from django_qaprod.specs import Measure, RouteSpec, RuleSpec

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def application() -> Iterator[Any]:
    with registry.isolated():
        registry._rules.clear()
        registry._routes.clear()

        class Application(Journey):
            name = "apply"
            started = Step()
            submitted = Step()
            variant = "form_type"
            properties = ("form_type", "pages")

        yield Application


def declared() -> list[RuleSpec]:
    """Return the rules but ours."""
    return [spec for spec in registry.rules() if not spec.builtin]


def test_a_rule_is_what_was_declared(application: Any) -> None:
    alerts.Threshold(
        "applications fail",
        of=application.failures(),
        at_least=1,
        window=timedelta(minutes=10),
        by="route",
        for_=timedelta(minutes=2),
        severity="critical",
        to=("chat",),
        inhibited_by=("the site is down",),
        runbook="https://wiki.example.org/apply",
    )
    assert declared() == [
        RuleSpec(
            name="applications fail",
            kind="threshold",
            of=Measure(kind="failures", journey="apply"),
            numbers={"at_least": 1.0, "window": 600.0, "for": 120.0, "keep_firing": 600.0},
            by="route",
            severity="critical",
            journey="apply",
            runbook="https://wiki.example.org/apply",
            inhibited_by=("the site is down",),
            to=("chat",),
        ),
    ]


def test_a_step_is_watched_as_it_is(application: Any) -> None:
    rule = alerts.Ratio("give up", of=application.submitted, per=application.started, below=0.3, min_count=30)
    assert rule.spec.of == Measure(kind="step", name="submitted", journey="apply")
    assert rule.spec.per == Measure(kind="step", name="started", journey="apply")
    assert rule.spec.numbers["min_count"] == 30
    assert repr(rule) == "<Ratio 'give up'>"


def test_a_heartbeat_waits_for_the_job_of_its_name() -> None:
    spec = alerts.Heartbeat("import", cron="30 2 * * *").spec
    assert spec.of == Measure(kind="series", name=BEATS, where=(("label", "import"), ("outcome", "ok")))
    assert spec.cron == "30 2 * * *"
    assert "every" not in spec.numbers


def test_what_is_out_of_sync_is_the_other_beside_the_one(application: Any) -> None:
    spec = alerts.OutOfSync("in step", one=application.started, other=application.submitted, within=HOUR).spec
    assert (spec.of.name, spec.per and spec.per.name) == ("submitted", "started")


def test_readings_may_be_below_zero() -> None:
    rule = alerts.Threshold("cold", of=alerts.gauge("celsius"), at_most=-18)
    assert rule.spec.numbers["at_most"] == -18
    assert alerts.Threshold("warm", of=alerts.gauge("celsius"), at_least=0).spec.numbers["at_least"] == 0


Declare = Callable[..., Any]


def of(kind: str) -> Declare:
    """Return what declares a rule of a kind, well but for what is given."""
    errors, requests = alerts.requests().errors(), alerts.requests()
    given: dict[str, dict[str, Any]] = {
        "Threshold": {"of": errors, "at_least": 1},
        "Ratio": {"of": errors, "per": requests, "above": 0.05},
        "Absence": {"of": requests, "window": HOUR},
        "Heartbeat": {"every": HOUR},
        "BurnRate": {"of": errors, "per": requests, "objective": 0.999},
        "OutOfSync": {"one": requests, "other": errors, "within": HOUR},
        "Dip": {"of": requests},
        "Trend": {"of": alerts.gauge("memory"), "reaches": 1, "within": HOUR},
    }
    return lambda **options: getattr(alerts, kind)("name", **{**given[kind], **options})


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("Threshold", {"of": Journey}, "watches a step of a journey"),
        ("Threshold", {"at_least": None}, "takes one of at_least and at_most"),
        ("Threshold", {"at_most": 3}, "takes one of at_least and at_most"),
        ("Threshold", {"at_least": 0}, "always wrong"),
        ("Threshold", {"at_least": -1}, "is above zero"),
        ("Threshold", {"at_least": "1"}, "is a number"),
        ("Threshold", {"at_least": float("nan")}, "is a number"),
        ("Threshold", {"at_least": True}, "is a number"),
        ("Threshold", {"window": 300}, "window=…\\) is a timedelta"),
        ("Threshold", {"window": timedelta(0)}, "is above zero"),
        ("Threshold", {"window": timedelta(days=401)}, "is at most 400 days"),
        ("Dip", {"weeks": 54}, "is at most 53"),
        ("Threshold", {"for_": 60}, "for=…\\) is a timedelta"),
        ("Threshold", {"min_count": HOUR}, "min_count=…\\) is a number"),
        ("Threshold", {"by": "brwoser"}, "by=…\\) is one of route, status, method, outcome, browser"),
        ("Threshold", {"by": ("browser",)}, 'as by="browser"'),
        ("Threshold", {"severity": "page"}, "is one of info, warning, error, critical"),
        ("Threshold", {"to": "chat"}, 'to=\\("chat",\\)'),
        ("Threshold", {"inhibited_by": "other"}, "is a tuple of names"),
        ("Threshold", {"inhibited_by": ("name",)}, "would never be told"),
        ("Threshold", {"hours": "9-17"}, "is WorkingHours"),
        ("Threshold", {"colour": "red"}, "there is no option 'colour'"),
        ("Ratio", {"above": 5}, "is a share between 0 and 1: 5% is above=0.05"),
        ("Ratio", {"above": None, "below": 0}, "is a share between 0 and 1"),
        ("Ratio", {"of": alerts.gauge("queue")}, "Threshold and Trend watch gauges"),
        ("Ratio", {"per": alerts.gauge("queue")}, "Threshold and Trend watch gauges"),
        ("Absence", {"by": "browser"}, "tells nothing apart"),
        ("Absence", {"of": alerts.gauge("queue")}, "Threshold and Trend watch gauges"),
        ("Heartbeat", {"every": None}, "takes one of every and cron"),
        ("Heartbeat", {"cron": "@daily"}, "takes one of every and cron"),
        ("Heartbeat", {"every": None, "cron": "30 25 * * *"}, "the hour goes from 0 to 23"),
        ("Heartbeat", {"every": 3600}, "is a timedelta"),
        ("BurnRate", {"objective": 99.9}, "is a share between 0 and 1 as 0.999"),
        ("BurnRate", {"objective": 1}, "is a share between 0 and 1 as 0.999"),
        ("BurnRate", {"period": timedelta(days=1)}, "three days or more"),
        ("BurnRate", {"period": 30}, "three days or more"),
        ("OutOfSync", {"at_least": 90}, "is a share between 0 and 1"),
        ("OutOfSync", {"within": timedelta(0)}, "is above zero"),
        ("Trend", {"of": alerts.requests()}, "is a gauge"),
        ("Dip", {"of": alerts.gauge("queue")}, "Threshold and Trend watch gauges"),
    ],
)
def test_what_cannot_be_judged_is_refused(kind: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        of(kind)(**options)


@pytest.mark.parametrize("kind", [name for name in alerts.__all__ if name in vars(declaration)])
def test_every_kind_can_be_declared_and_is_registered_once(kind: str) -> None:
    of(kind)()
    of(kind)()
    assert [spec.name for spec in declared()] == ["name"]


@pytest.mark.parametrize("name", ["", "x" * 151, 7])
def test_a_name_is_a_short_text(name: Any) -> None:
    with pytest.raises(DeclarationError, match="a name of at most 150 characters"):
        alerts.Heartbeat(name, every=HOUR)


def test_a_name_is_taken_once(application: Any) -> None:
    alerts.Absence("quiet", of=application.submitted, window=HOUR)
    alerts.Absence("quiet", of=application.submitted, window=2 * HOUR)
    with pytest.raises(DeclarationError, match="already declared"):
        alerts.Absence("quiet", of=application.started, window=HOUR)


@pytest.mark.parametrize("by", ["variant", "browser", "release", "form_type", "pages"])
def test_a_step_is_told_apart_by_what_it_has(application: Any, by: str) -> None:
    assert alerts.Dip("fewer", of=application.submitted, by=by).spec.by == by


def test_a_step_is_not_told_apart_by_what_it_has_not(application: Any) -> None:
    with pytest.raises(
        DeclarationError, match=r"by=…\) is one of variant, browser, release, form_type, pages"
    ):
        alerts.Dip("fewer", of=application.submitted, by="school")


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize(
    ("kind", "by"), [(kind, by) for kind, known in declaration._APART.items() for by in known]
)
def test_what_may_be_told_apart_can_be(kind: str, by: str) -> None:
    """The queries know all that declarations allow."""
    assert measures.counts(Measure(kind=kind, journey="apply"), 0.0, 60.0, by=by) == {}


class TestRoutes:
    def test_a_route_is_what_was_declared(self, application: Any) -> None:
        hours = alerts.WorkingHours()
        alerts.Route(
            "customers",
            to=("chat", "mail"),
            severity="warning",
            journeys=(application, "pay"),
            rules=("applications fail",),
            hours=hours,
            escalate_after=timedelta(minutes=15),
            escalate_to=["sms"],
            further=True,
        )
        assert registry.routes() == (
            RouteSpec(
                name="customers",
                to=("chat", "mail"),
                severity="warning",
                journeys=("apply", "pay"),
                rules=("applications fail",),
                hours=hours,
                escalate_after=900.0,
                escalate_to=("sms",),
                further=True,
            ),
        )

    def test_it_takes_everything_if_nothing_is_said(self) -> None:
        route = alerts.Route("all", to=("mail",))
        assert route.spec == RouteSpec(name="all", to=("mail",))
        assert repr(route) == "<Route 'all'>"

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"to": ()}, "names a channel"),
            ({"to": "mail"}, 'to=\\("mail",\\)'),
            ({"to": (1,)}, "are names"),
            ({"to": None}, "is a tuple"),
            ({"severity": "page"}, "is one of info"),
            ({"journeys": "apply"}, "is a tuple"),
            ({"journeys": (Journey,)}, "are journeys or their names"),
            ({"rules": (Journey,)}, "are names"),
            ({"hours": "9-17"}, "is WorkingHours"),
            ({"escalate_after": HOUR}, "together"),
            ({"escalate_to": ("sms",)}, "together"),
            ({"escalate_after": 900, "escalate_to": ("sms",)}, "is a timedelta above zero"),
            ({"escalate_after": -HOUR, "escalate_to": ("sms",)}, "is a timedelta above zero"),
        ],
    )
    def test_what_leads_nowhere_is_refused(self, options: dict[str, Any], words: str) -> None:
        with pytest.raises(DeclarationError, match=words):
            alerts.Route("customers", **{"to": ("mail",), **options})
        assert registry.routes() == ()

    def test_a_name_is_a_short_text(self) -> None:
        with pytest.raises(DeclarationError, match="at most 150 characters"):
            alerts.Route("", to=("mail",))


class TestWorkingHours:
    LONDON = ZoneInfo("Europe/London")

    @pytest.mark.parametrize(
        ("when", "open_"),
        [
            ((2025, 3, 5, 8, 59), False),
            ((2025, 3, 5, 9, 0), True),
            ((2025, 3, 5, 16, 59), True),
            ((2025, 3, 5, 17, 0), False),
            ((2025, 3, 8, 12, 0), False),
            ((2025, 4, 18, 12, 0), False),
        ],
    )
    def test_they_go_on_while_somebody_is_at_work(self, when: tuple[int, ...], open_: bool) -> None:
        """Not at a weekend, nor on Good Friday."""
        hours = alerts.WorkingHours(zone="Europe/London", holidays="GB-ENG")
        moment = datetime(*when, tzinfo=self.LONDON)  # type: ignore[misc,arg-type]
        assert hours(moment) == open_
        assert hours(moment.astimezone(UTC)) == open_

    @pytest.mark.parametrize(
        ("day", "hour", "open_"),
        [(7, 21, False), (7, 22, True), (8, 5, True), (8, 6, False), (8, 22, False), (10, 5, False)],
    )
    def test_a_night_belongs_to_the_day_on_which_it_begins(self, day: int, hour: int, open_: bool) -> None:
        """From Friday evening until Saturday morning, and not from Sunday evening."""
        hours = alerts.WorkingHours(begin=time(22), end=time(6), zone="Europe/London")
        assert hours(datetime(2025, 3, day, hour, tzinfo=self.LONDON)) == open_

    def test_a_night_on_which_a_holiday_begins_is_worked_until_its_end(self) -> None:
        hours = alerts.WorkingHours(
            begin=time(22), end=time(6), zone="Europe/London", holidays=lambda day: day == date(2025, 3, 5)
        )
        assert hours(datetime(2025, 3, 5, 5, tzinfo=self.LONDON))
        assert not hours(datetime(2025, 3, 5, 23, tzinfo=self.LONDON))

    def test_without_zones_times_are_those_of_the_project(self, settings: Settings) -> None:
        settings.USE_TZ, settings.TIME_ZONE = False, "America/New_York"
        moment = datetime(2025, 3, 5, 9)  # noqa: DTZ001
        assert alerts.WorkingHours()(moment)
        assert not alerts.WorkingHours(end=time(14), zone="Europe/London")(moment)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"days": ()}, "WorkingHours.*are weekdays"),
            ({"begin": time(9), "end": time(9)}, "does not end when it begins"),
            ({"begin": 8, "end": 18}, "are times, as begin=time\\(8\\), not 8, 18"),
            ({"zone": "Europe/Londn"}, "names a zone"),
        ],
    )
    def test_what_are_no_hours_is_refused(self, options: dict[str, Any], words: str) -> None:
        with pytest.raises(DeclarationError, match=words):
            alerts.WorkingHours(**options)


def test_every_export_is_there() -> None:
    for name in alerts.__all__:
        assert getattr(alerts, name) is vars(alerts)[name]
    with pytest.raises(AttributeError, match="Treshold"):
        _ = alerts.Treshold  # type: ignore[attr-defined]
