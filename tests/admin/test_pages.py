"""Journeys, requests, health, events, deploys; and what all pages have in common."""

from __future__ import annotations

import re
import time
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.core.handlers.base import BaseHandler
from django.db import connection, connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path, resolve

from django_qaprod import clock, metrics, registry
from django_qaprod.admin import register
from django_qaprod.models import Breach, Bucket, Deploy, Event, Health, Lease, Silence
from django_qaprod.registry import GaugeSpec, JourneySpec
from django_qaprod.specs import Measure
from tests.admin import rows
from tests.forms import kept

pytestmark = pytest.mark.django_db(databases="__all__")

HOME = "/admin/qaprod/"
ROUTE = "jobs/<int:pk>/"

custom = AdminSite(name="back-office")
register(custom)
urlpatterns = [path("office/", custom.urls)]


def body(client: Client, address: str) -> str:
    response = client.get(f"{HOME}{address}")
    assert response.status_code == 200
    return response.content.decode()


# What all pages have in common


@pytest.mark.parametrize("address", ["channel/test/", "breach/1/repair/"])
def test_what_sends_runs_in_no_transaction_of_the_host_s(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever alias has ``ATOMIC_REQUESTS``: what is sent is written down, even if the request fails."""
    for known in connections.all():
        monkeypatch.setitem(known.settings_dict, "ATOMIC_REQUESTS", True)
    view = resolve(f"{HOME}{address}").func
    assert BaseHandler().make_view_atomic(view) is view
    other = resolve(HOME).func
    assert BaseHandler().make_view_atomic(other) is not other


@pytest.fixture
def addresses(journey: JourneySpec) -> list[str]:
    registry.register(
        JourneySpec(name=rows.HOSTILE[:100], title=rows.HOSTILE, module="m", steps=journey.steps)
    )
    hostile_gauge = {"name": rows.HOSTILE[:100], "unit": rows.HOSTILE[:40], "description": rows.HOSTILE}
    registry.register_gauge(GaugeSpec(read=lambda: 1, place="m", every=60, timeout=10, **hostile_gauge))
    by_hostile = {"by": rows.HOSTILE, "cron": rows.HOSTILE, "to": (rows.HOSTILE,)}
    registry.register_rule(rows.rule(f"!{rows.HOSTILE}"[:150]))
    registry.register_rule(
        rows.rule(
            rows.HOSTILE[:150],
            description=rows.HOSTILE,
            runbook=f"javascript:{rows.HOSTILE}",
            inhibited_by=(rows.HOSTILE,),
            of=Measure("series", rows.HOSTILE, where=((rows.HOSTILE, rows.HOSTILE),)),
            **by_hostile,
        )
    )
    hostile = rows.one_of_each(rows.HOSTILE)
    alert = rows.hostile_alert(rows.HOSTILE)
    silence = Silence.objects.get()
    event = Event.objects.get()
    deploy = Deploy.objects.get()
    breach = Breach.objects.get()
    return [
        "alert/",
        "alert/?state=all&q=%3Cscript%3Ealert(1)%3C/script%3E",
        f"alert/{alert.pk}/",
        "alert/usefulness/",
        "rule/",
        f"rule/rule/?name={quote(rows.HOSTILE[:150])}",
        f"rule/rule/?name={quote(f'!{rows.HOSTILE}'[:150])}",
        f"rule/rule/?name={quote(rows.HOSTILE[:150])}&key={quote(rows.HOSTILE)}",
        "silence/?when=all",
        "silence/add/?rule=%3Cscript%3Ealert(1)%3C/script%3E",
        f"silence/{silence.pk}/change/",
        "channel/",
        "notification/",
        "breach/?state=all",
        f"breach/{breach.pk}/change/",
        "failure/?state=all",
        f"failure/{hostile.pk}/change/",
        f"failure/{hostile.pk}/delete/",
        "journeypage/",
        "requestpage/?q=<script>alert(1)</script>",
        "requestpage/",
        "requestpage/route/?route=%3Cscript%3Ealert(1)%3C/script%3E",
        "gaugepage/",
        f"gaugepage/gauge/?name={quote(rows.HOSTILE[:100])}",
        f"gaugepage/gauge/?name={quote(rows.HOSTILE[:100])}&label={quote(rows.HOSTILE)}",
        f"gaugepage/gauge/?name={metrics.MEMORY}",
        "health/",
        "event/",
        f"event/{event.pk}/change/",
        "deploy/",
        f"deploy/{deploy.pk}/change/",
        "failure/?q=%3Cscript%3Ealert(1)%3C/script%3E",
    ]


def test_hostile_text_stays_text(addresses: list[str], client_of_boss: Client) -> None:
    for address in addresses:
        text = body(client_of_boss, address)
        assert "<script>alert" not in text, address
        # What a form sends back is sent as it is; nobody reads it.
        shown = re.sub(r' value="[^"]*"', "", text)
        bad = re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0e-\x1f]", shown)
        assert not bad, shown[bad.start() - 200 : bad.end() + 50]


def test_nothing_is_inline(addresses: list[str], client_of_boss: Client) -> None:
    for address in addresses:
        text = body(client_of_boss, address)
        assert not re.search(r"<[^>]*\sstyle=", text), address
        assert "<style" not in text, address
        assert not re.search(r"<[a-z][^>]*\son[a-z]+=", re.sub(r'"[^"]*"', '""', text)), address
        for script in re.findall(r"<script\b([^>]*)>", text):
            assert "src=" in script or 'type="application/json"' in script, address


def test_hostile_text_in_the_text_for_a_ticket(client_of_boss: Client) -> None:
    failure = rows.one_of_each(rows.HOSTILE)
    text = body(client_of_boss, f"failure/{failure.pk}/text/")
    assert "[U+202E]" in text
    assert not re.search("[\u202a-\u202e\x00-\x08\x0e-\x1f]", text)


def test_text_of_ten_thousand_characters(client_of_boss: Client) -> None:
    failure = rows.failure(message="x" * 500)
    rows.occurrence(failure, chain=[{"error_type": "E", "message": "y" * 10_000, "notes": []}])
    assert "y" * 900 in body(client_of_boss, f"failure/{failure.pk}/change/")
    assert "x" * 201 not in body(client_of_boss, "failure/")


def test_stale_numbers_say_so(client_of_boss: Client) -> None:
    failure = rows.failure()
    rows.alive(stored=timedelta(hours=2))
    for address in ("failure/", f"failure/{failure.pk}/change/", "journeypage/", "requestpage/", "health/"):
        assert "no drainer is running" in body(client_of_boss, address), address


def test_fresh_numbers_say_nothing(client_of_boss: Client) -> None:
    rows.alive()
    assert "qaprod-banner" not in body(client_of_boss, "requestpage/")


def test_a_dead_worker_is_told(client_of_boss: Client) -> None:
    rows.requests("a/")
    assert "Nobody does the periodic work" in body(client_of_boss, "requestpage/")
    assert "Look at the health page" in body(client_of_boss, "requestpage/")


@pytest.mark.parametrize(
    ("ago", "worked", "told"),
    [
        (timedelta(seconds=100), False, False),
        (timedelta(seconds=140), False, True),
        (timedelta(), True, True),
    ],
)
def test_right_after_the_start_nobody_is_missed(
    client_of_boss: Client, ago: timedelta, worked: bool, told: bool
) -> None:
    """The first numbers are there before anybody has taken the lease; once somebody had it, it is news."""
    Bucket.objects.filter(pk=rows.requests("a/").pk).update(start=clock.now() - ago)
    if worked:
        Lease.objects.create(name="worker", holder="web-1:1", expires_at=clock.now() - timedelta(hours=1))
    assert ("Nobody does the periodic work" in body(client_of_boss, "requestpage/")) == told


@pytest.mark.parametrize("served", [True, False])
def test_the_health_page_says_that_nothing_can_be_kept(
    served: bool, client_of_boss: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_qaprod.forms.checks.rescues_anything", lambda: served)
    rows.alive()
    settings.QAPROD = {"RESCUE_KEYS": []}
    said = body(client_of_boss, "health/")
    assert ("no key in QAPROD[&#x27;RESCUE_KEYS&#x27;]" in said) == served
    assert ("All is well" in said) != served
    settings.QAPROD = {"RESCUE_KEYS": [kept.KEY]}
    assert "All is well" in body(client_of_boss, "health/")


def test_the_health_page_s_tile_is_the_sum_of_its_table(client_of_boss: Client) -> None:
    rows.alive()
    for part, dropped in (("sink.statsd", 1089), ("logs.queue", 604)):
        Health.objects.create(host="web-1", part=part, dropped=dropped, at=clock.now())
    said = body(client_of_boss, "health/")
    assert "<b>1,693</b> records given up" in said
    assert "0 of them are missing in these pages" in said


def test_the_health_page_warns_before_submissions_are_deleted(client_of_boss: Client, settings: Any) -> None:
    rows.alive()
    settings.QAPROD = {**getattr(settings, "QAPROD", {}), "RESCUE_KEYS": [kept.KEY]}
    kept.stored("young")
    assert "age limit" not in body(client_of_boss, "health/")
    kept.stored("old", at=time.time() - 85 * 86400)
    assert "1 rescued submission that nobody has replayed yet" in body(client_of_boss, "health/")


def test_the_health_page_says_when_no_more_may_wait(client_of_boss: Client, settings: Any) -> None:
    rows.alive()
    settings.QAPROD = {"RESCUE_KEYS": [kept.KEY], "MAX_ROWS": {"submissions": 1}}
    assert "All is well" in body(client_of_boss, "health/")
    kept.stored()
    said = body(client_of_boss, "health/")
    assert "As many rescued submissions wait as may, 1" in said
    assert "All is well" not in said


def test_the_health_page_is_not_offered_to_who_may_not_see_it() -> None:
    rows.requests("a/")
    client = Client()
    client.force_login(rows.user("viewer", "view_requestpage"))
    assert "Look at the health page" not in body(client, "requestpage/")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("failure/", "Nothing is broken."),
        ("failure/?q=zzz", "No failure matches."),
        ("requestpage/", "No requests in this window."),
        ("requestpage/route/", "No requests in this window."),
        ("gaugepage/", "No gauges are declared yet."),
        ("gaugepage/", "Nothing was read in the last 24 hours."),
        ("health/", "Nothing has been recorded yet."),
        ("event/", "No events in this window."),
        ("deploy/", "No release is known yet."),
        ("breach/", "Nothing is expected yet."),
        ("breach/?q=zzz", "No breach matches."),
        ("alert/", "No rule fires."),
        ("alert/usefulness/", "Nobody has judged an alert yet."),
        ("silence/", "Nobody has asked for quiet."),
        ("silence/?when=over", "No silence matches."),
        ("channel/", "Nobody can be told"),
        ("notification/", "Nobody was told anything yet."),
    ],
)
def test_an_empty_page_says_what_to_do_next(address: str, words: str, client_of_boss: Client) -> None:
    assert words in body(client_of_boss, address)


def test_without_journeys_the_page_teaches_how_to_declare_one(client_of_boss: Client) -> None:
    with registry.isolated():
        registry._journeys.clear()
        assert "Create qaprod.py beside models.py" in body(client_of_boss, "journeypage/")


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.usefixtures("journey")
def test_a_custom_site_has_the_pages(boss: User) -> None:
    failure = rows.failure()
    client = Client()
    client.force_login(boss)
    gauges = ("gaugepage/", "gaugepage/gauge/?name=queue")
    rows.gauge("queue", 1.0)
    rows.failure(2, kind="gauge", name="queue")
    registry.register_rule(rows.rule())
    alert, silence = rows.alert(), rows.silence(rule="orders fail")
    rows.notification(alert)
    of_alerts = (
        "alert/", f"alert/{alert.pk}/", "alert/usefulness/", "rule/", "rule/rule/?name=orders+fail",
        "silence/", "silence/add/", f"silence/{silence.pk}/change/", "channel/", "notification/",
    )  # fmt: skip
    others = ("failure/", f"failure/{failure.pk}/change/", "journeypage/", "requestpage/", "health/")
    for address in (*others, *gauges, *of_alerts):
        response = client.get(f"/office/qaprod/{address}")
        assert response.status_code == 200
        assert b'"/admin/' not in response.content
    client.post(f"/office/qaprod/failure/{failure.pk}/state/", {"do": "resolve"})
    failure.refresh_from_db()
    assert failure.state == "resolved"
    client.post(f"/office/qaprod/alert/{alert.pk}/act/", {"do": "acknowledge"})
    alert.refresh_from_db()
    assert alert.acknowledged_by == "boss"


def test_registering_twice_leaves_what_is_there() -> None:
    before = dict(admin.site._registry)
    register(admin.site)
    assert dict(admin.site._registry) == before
    assert custom.is_registered(Health)


# Journeys


def test_the_funnel(client_of_boss: Client, journey: JourneySpec) -> None:
    for number in range(10):
        rows.event(subject=f"app{number}", variant="long" if number < 4 else "short")
    for number in range(3):
        rows.event("submitted", f"app{number}", variant="long")
    page = client_of_boss.get(f"{HOME}journeypage/").context["page"].shown
    assert [row.count.reached for row in page.rows] == [10, 3]
    assert page.rows[1].count.conversion == 0.3
    assert page.rows[1].lost == 0.7
    assert [row.width for row in page.rows] == [1.0, 0.3]
    assert [funnel.variant for funnel in page.by_variant] == ["long", "short"]
    text = body(client_of_boss, "journeypage/?window=24h&variant=long")
    assert "75%" in text
    assert len(page.trends) == 2


@pytest.mark.parametrize("query", ["variant=nobody", "browser=x", "window=x", "journey=x", "variant=*"])
def test_choices_that_do_not_exist_are_no_choices(
    query: str, client_of_boss: Client, journey: JourneySpec
) -> None:
    rows.event()
    shown = client_of_boss.get(f"{HOME}journeypage/?{query}").context["page"].shown
    assert (shown.spec, shown.variant, shown.browser) == (journey, None, None)


def test_todays_numbers_are_those_of_the_funnel(client_of_boss: Client, journey: JourneySpec) -> None:
    now = rows.clock.now()
    for subject in ("a", "b", "b"):
        rows.event(subject=subject, at=now)
    text = body(client_of_boss, "journeypage/?window=today")
    assert "how many took a step for the first time" in text
    tile = re.search(r"<div><b>(.*?)</b> <bdi>Started</bdi>(.*?)</div>", text, re.DOTALL)
    assert tile is not None
    assert tile[1] == "2"
    assert "taken 3 times" in tile[2]


# Requests


def test_routes_with_their_numbers(client_of_boss: Client) -> None:
    rows.requests(ROUTE, 90)
    rows.requests(ROUTE, 10, outcome="server_error", status="500")
    rows.requests("b/", 7)
    page = client_of_boss.get(f"{HOME}requestpage/").context["page"]
    assert [(row.route, row.count, row.error_rate) for row in page.rows] == [(ROUTE, 100, 0.1), ("b/", 7, 0)]
    text = body(client_of_boss, "requestpage/")
    assert "10%" in text
    assert "right to 2.2%" in text


@pytest.mark.parametrize(
    ("order", "first"), [("count", "b/"), ("-count", "a/"), ("route", "a/"), ("-route", "b/"), ("drop", "a/")]
)
def test_routes_are_sorted_as_asked(order: str, first: str, client_of_boss: Client) -> None:
    rows.requests("a/", 9)
    rows.requests("b/", 1)
    page = client_of_boss.get(f"{HOME}requestpage/", {"o": order}).context["page"]
    assert page.rows[0].route == first


def test_routes_are_searched(client_of_boss: Client) -> None:
    rows.requests("a/")
    rows.requests("b/")
    page = client_of_boss.get(f"{HOME}requestpage/", {"q": "B"}).context["page"]
    assert [row.route for row in page.rows] == ["b/"]


def test_a_route_has_a_page(client_of_boss: Client) -> None:
    rows.requests(ROUTE, 8)
    rows.requests(ROUTE, 2, outcome="degraded")
    response = client_of_boss.get(f"{HOME}requestpage/route/", {"route": ROUTE})
    text = response.content.decode()
    assert "jobs/&lt;int:pk&gt;/" in text
    assert response.context["page"].detail.now.degraded == 2
    assert [line.label for line in response.context["page"].counts.lines] == [
        "requests",
        "errors",
        "degraded",
    ]


# Events and deploys


def test_events_of_the_last_week_unless_asked(client_of_boss: Client, journey: JourneySpec) -> None:
    rows.event(subject="new")
    rows.event(subject="old", at=rows.clock.now() - timedelta(days=30))
    assert len(client_of_boss.get(f"{HOME}event/").context["cl"].result_list) == 1
    assert len(client_of_boss.get(f"{HOME}event/?since=all").context["cl"].result_list) == 2
    assert len(client_of_boss.get(f"{HOME}event/?since=all&q=old").context["cl"].result_list) == 1
    query = f"since=all&journey={journey.name}&step=submitted"
    assert len(client_of_boss.get(f"{HOME}event/?{query}").context["cl"].result_list) == 0


def test_a_page_of_events_reads_its_own_rows(client_of_boss: Client) -> None:
    for number in range(205):
        rows.event(subject=f"number-{number}")
    with CaptureQueriesContext(connection) as queries:
        text = body(client_of_boss, "event/")
    read = [query["sql"] for query in queries if "qaprod_event" in query["sql"]]
    assert len(read) == 1
    assert "LIMIT 101" in read[0]
    assert text.count("number-") == 100
    assert 'href="?p=2">earlier' in text
    assert "later</a>" not in text
    last = body(client_of_boss, "event/?p=3&since=24h")
    assert last.count("number-") == 5
    assert 'href="?p=2&amp;since=24h">later' in last
    assert "earlier</a>" not in last


@pytest.mark.parametrize("page", ["0", "-1", "101", "9" * 30])
def test_no_page_of_events_is_far_back(client_of_boss: Client, page: str) -> None:
    assert client_of_boss.get(f"{HOME}event/", {"p": page}).headers["Location"].endswith("?e=1")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "PRIMARY"),
        ("since=all", "PRIMARY"),
        ("journey=JobApplication", "qaprod_event_when"),
        ("journey=JobApplication&since=all&step=started", "qaprod_event_when"),
        ("q=number-7&since=all", "qaprod_event_subject"),
    ],
)
def test_every_list_of_events_has_an_index(
    client_of_boss: Client, journey: JourneySpec, query: str, index: str
) -> None:
    one = rows.event()
    # Of few rows, PostgreSQL takes any index for as good.
    Event.objects.bulk_create(
        Event(id=uuid.uuid4(), at=one.at, journey=one.journey, step=one.step, subject=f"other-{number}")
        for number in range(2000)
    )
    with CaptureQueriesContext(connection) as queries:
        body(client_of_boss, f"event/?{query}")
    (read,) = (query["sql"] for query in queries if "qaprod_event" in query["sql"])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # It may have counted the table while it was empty.
            cursor.execute("ANALYZE qaprod_event")
            cursor.execute("SET LOCAL enable_seqscan = off")
            if "q=" not in query:
                cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {read}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {read}")
        plan = str(cursor.fetchall())
    primary = {"postgresql": "qaprod_event_pkey", "sqlite": "sqlite_autoindex_qaprod_event_1"}
    assert (primary[connection.vendor] if index == "PRIMARY" else index) in plan


def test_flags_stand_among_the_deploys_and_are_told_apart(client_of_boss: Client) -> None:
    """By a badge and a filter, under titles that are right for both."""
    Deploy.objects.create(release="r1", at=rows.clock.now())
    Deploy.objects.create(release="short form", at=rows.clock.now(), flag=True)
    text = client_of_boss.get(f"{HOME}deploy/").content.decode()
    assert '<bdi>short form</bdi> <span class="qaprod-flag">flag</span>' in text
    assert text.count('<span class="qaprod-flag">flag</span>') == 1
    assert "elease or flag" in text
    assert "ive or changed" in text
    flags = client_of_boss.get(f"{HOME}deploy/?flag__exact=1").context["cl"].result_list
    assert [one.release for one in flags] == ["short form"]


def test_only_the_note_of_a_deploy_can_be_written(client_of_boss: Client) -> None:
    deploy = Deploy.objects.create(release="r1", at=rows.clock.now())
    client_of_boss.post(f"{HOME}deploy/{deploy.pk}/change/", {"note": "the new form", "release": "evil"})
    deploy.refresh_from_db()
    assert (deploy.release, deploy.note) == ("r1", "the new form")


def test_the_nonce_of_a_policy_is_used() -> None:
    from django.template import Context, Template

    template = Template("{% load qaprod %}<script{% nonce %}></script>")
    assert template.render(Context({"csp_nonce": 'a"b'})) == '<script nonce="a&quot;b"></script>'
    assert template.render(Context({})) == "<script></script>"


@pytest.mark.parametrize("address", ["event/?journey__exact=%00", "deploy/?release__exact=%00"])
def test_nul_in_a_stock_filter_is_no_error(address: str, client_of_boss: Client) -> None:
    assert client_of_boss.get(f"/admin/qaprod/{address}").status_code in {200, 302}


def test_nothing_is_compared_with_a_time_before_there_was_anything(
    client_of_boss: Client, journey: JourneySpec
) -> None:
    rows.requests("a/")
    rows.event(subject="1", at=clock.now())
    for address in ("requestpage/", "requestpage/route/?route=a/", "journeypage/"):
        said = body(client_of_boss, address)
        assert "none before" not in said
        assert "was 0%" not in said
    assert "none by this time a week ago" in body(client_of_boss, "journeypage/")


def test_a_week_ago_is_told_in_plain_words(client_of_boss: Client, journey: JourneySpec) -> None:
    ago = clock.now() - timedelta(days=7, seconds=1)
    for subject in range(12):
        rows.event(subject=f"now {subject}", at=clock.now())
    rows.event(subject="then", at=ago)
    said = body(client_of_boss, "journeypage/")
    assert "1 by this time a week ago<" in said or "1 by this time a week ago;" in said
    assert "times as many" not in said
