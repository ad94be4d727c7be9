"""The list of failures and a failure's page."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock
from django_qaprod.models import Deploy, Failure, Occurrence, Transition
from django_qaprod.registry import JourneySpec
from django_qaprod.templatetags.qaprod import exactly, seamed
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

LIST = "/admin/qaprod/failure/"


def page_of(failure: Failure, query: str = "") -> str:
    return f"{LIST}{failure.pk}/change/{query}"


def found(client: Client, query: dict[str, str]) -> set[str]:
    response = client.get(LIST, query)
    assert response.status_code == 200, query
    return {failure.fingerprint for failure in response.context["cl"].result_list}


def act(client: Client, action: str, *failures: Failure, **more: Any) -> Any:
    data = {"action": action, "_selected_action": [failure.pk for failure in failures], "index": "0", **more}
    return client.post(LIST, data, follow=True)


def test_the_worst_comes_first_and_among_equals_the_latest(client_of_boss: Client) -> None:
    now = clock.now()
    rows.failure(1, priority=10, last_seen=now)
    rows.failure(2, priority=90, last_seen=now - timedelta(days=1))
    rows.failure(3, priority=90, last_seen=now)
    listed = client_of_boss.get(LIST).context["cl"].result_list
    assert [failure.fingerprint for failure in listed] == ["v1:3", "v1:2", "v1:1"]


def test_only_open_failures_are_listed_unless_asked(client_of_boss: Client) -> None:
    rows.failure(1)
    rows.failure(2, state="resolved")
    rows.failure(3, state="silenced")
    assert found(client_of_boss, {}) == {"v1:1"}
    assert found(client_of_boss, {"state": "resolved"}) == {"v1:2"}
    assert found(client_of_boss, {"state": "all"}) == {"v1:1", "v1:2", "v1:3"}
    assert found(client_of_boss, {"state": "nonsense"}) == {"v1:1"}


def test_the_priority_is_explained(client_of_boss: Client) -> None:
    rows.failure()
    body = client_of_boss.get(LIST).content.decode()
    assert "<b>+30</b> its kind is “unhandled”" in body
    assert "<b>+14.8</b> 12 people or subjects met it" in body
    assert "in the last hour" not in body, "parts of no points are left out"


def test_people_and_subjects_are_counted_in_words(client_of_boss: Client) -> None:
    many, one = rows.failure(1, count=592, people=38, subjects=258), rows.failure(2, count=1, people=1)
    listed = client_of_boss.get(LIST).content.decode()
    for words in ("38 people", "258 subjects", "1 person"):
        assert f'<span class="qaprod-quiet">{words}</span>' in listed
    page = client_of_boss.get(page_of(one)).content.decode()
    assert "<b>1</b> signed-in person" in page
    assert "<b>1</b> time</div>" in page
    assert "<b>38</b> signed-in people" in client_of_boss.get(page_of(many)).content.decode()


@pytest.mark.parametrize(
    ("extra", "served", "said"),
    [
        (
            {"rung": "view", "served": "template", "lost": True},
            False,
            "was shown the form again; what was sent is lost",
        ),
        ({"rung": "view", "served": "template"}, True, "was shown the form"),
        ({"rung": "on_commit", "served": "passed"}, False, "got the error page that the view wanted"),
        ({"rung": "view", "served": "received"}, True, "was told that what was sent is kept"),
        ({}, True, "was served anyway"),
        ([], False, "was not served"),
    ],
)
def test_what_the_visitor_got_is_told_in_words(
    extra: Any, served: bool, said: str, client_of_boss: Client
) -> None:
    failure = rows.failure(kind="degraded")
    rows.occurrence(failure, extra=extra, served=served)
    page = client_of_boss.get(page_of(failure)).content.decode()
    assert f"<dd>{said}" in page
    assert ("what failed</dt>" in page) == bool(extra)
    for name in ("rung", "received", "lost</bdi>"):
        assert name not in page


def test_a_get_and_a_post_of_one_view_are_told_apart(client_of_boss: Client) -> None:
    made = [rows.failure(n, method=method, route="a/") for n, method in enumerate(("GET", "POST"))]
    listed = client_of_boss.get(LIST).content.decode()
    for failure in made:
        assert f'<bdi class="qaprod-quiet">{failure.method} a/</bdi>' in listed
        page = client_of_boss.get(page_of(failure)).content.decode()
        assert f'<bdi class="qaprod-flag">{failure.method} a/</bdi>' in page


def test_what_a_replay_has_met_is_said_to_be_so(client_of_boss: Client) -> None:
    visitor, replay = rows.failure(1), rows.failure(2, kind="replay", name="replay of jobs.views.apply")
    degraded = rows.failure(3, kind="degraded", name="replay of school search")
    for one in (visitor, replay, degraded):
        rows.occurrence(one, id=one.fingerprint)
        rows.affected(one, "app:1", served=False)
    words = "somebody replayed what a visitor had sent before"
    shown = [client_of_boss.get(page_of(one)).content.decode() for one in (visitor, replay, degraded)]
    assert [words in page for page in shown] == [False, True, True]
    for cost in ("was not served", "met it; none of them was served"):
        assert [cost in page for page in shown] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("kind:degraded", {2}),
        ("-kind:degraded is:open", {1, 3}),
        ("journey:jobapplication", {2}),
        ("route:apply", {1}),
        ('route:"b c"', {3}),
        ("release:r2", {2}),
        ("is:regression", {3}),
        ("is:resolved", {4}),
        ("state:resolved", {4}),
        ("is:nonsense", set()),
        ("severity:critical", {1}),
        ("user:anna", {3}),
        ("subject:app7", {4}),
        ("request:abc-1", {2}),
        ("occurrence:01a2", {2}),
        ("school", {1, 3}),
        ("SCHOOL kind:unhandled", {1, 3}),
        ("-school is:open", {2}),
        ('"school 1"', {1}),
        ("nobody:knows", {2}),
        ("x\x00y", {1, 2, 3}),
        ("KIND:degraded", {2}),
        ('-"school 1" kind:unhandled', {3}),
        ("-5", set()),
        ("zzz", set()),
    ],
)
def test_search(text: str, numbers: set[int], client_of_boss: Client) -> None:
    rows.failure(1, route="jobs/<int:pk>/apply/", severity="critical")
    second = rows.failure(
        2, kind="degraded", journey="JobApplication", first_release="r2", message="nobody:knows it"
    )
    rows.occurrence(second, request_id="abc-1")
    rows.occurrence(second, request_id="abc-1", id="01a2")
    rows.affected(rows.failure(3, regression=True, route="a/b c/"), "anna", who="user")
    rows.affected(rows.failure(4, state="resolved", message="other"), "app7")
    assert found(client_of_boss, {"q": text}) == {f"v1:{number}" for number in numbers}


def test_filters(client_of_boss: Client, journey: JourneySpec) -> None:
    now = clock.now()
    rows.failure(1, kind="degraded", journey=journey.name, route="a/", last_release="r1")
    rows.failure(2, severity="warning", route="b/", last_seen=now - timedelta(days=3))
    Deploy.objects.create(release="r1", at=now)
    assert found(client_of_boss, {"kind__exact": "degraded"}) == {"v1:1"}
    assert found(client_of_boss, {"severity__exact": "warning"}) == {"v1:2"}
    assert found(client_of_boss, {"journey": journey.name}) == {"v1:1"}
    assert found(client_of_boss, {"route": "b/"}) == {"v1:2"}
    assert found(client_of_boss, {"release": "r1"}) == {"v1:1"}
    assert found(client_of_boss, {"since": "24h"}) == {"v1:1"}
    assert found(client_of_boss, {"since": "7d", "_facets": "True"}) == {"v1:1", "v1:2"}


@pytest.mark.parametrize(
    "name", ["state", "kind__exact", "severity__exact", "journey", "route", "release", "since", "q", "o", "p"]
)
def test_nonsense_in_the_address_is_no_error(name: str, client_of_boss: Client) -> None:
    rows.failure()
    for value in ("\x00", "'", "-1", "\ud800", "x" * 5000):
        assert client_of_boss.get(LIST, {name: value.encode("utf-8", "surrogatepass")}).status_code in {
            200,
            302,
        }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SMTPServerDisconnected: gone", "SMTPServer|Disconnected: gone"),
        ("jobs.views.apply_now", "jobs.|views.|apply_|now"),
        ("GET apply/<uuid:b>/form/", "GET apply/&lt;uuid:|b&gt;/|form/"),
        ("<script>HTTP</script> 10.5", "&lt;script&gt;HTTP&lt;/|script&gt; 10.5"),
        ("IndexError: jobs.views", "IndexError: jobs.views"),
        ("", ""),
    ],
)
def test_names_break_where_their_words_end(text: str, shown: str) -> None:
    """In a narrow column, and nowhere within a word while there is such a place."""
    assert seamed(text) == shown.replace("|", "<wbr>")


def test_the_number_of_queries_does_not_follow_the_number_of_rows(client_of_boss: Client) -> None:
    def queries() -> int:
        contexts = [CaptureQueriesContext(connections[alias]) for alias in connections]
        for context in contexts:
            context.__enter__()
        client_of_boss.get(LIST)
        for context in contexts:
            context.__exit__(None, None, None)
        return sum(len(context) for context in contexts)

    rows.failure(0)
    few = queries()
    for number in range(1, 40):
        rows.failure(number)
    assert queries() == few <= 25


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("resolve", "resolved"),
        ("resolve_in_next", "resolved"),
        ("silence_hour", "silenced"),
        ("silence_day", "silenced"),
        ("silence_week", "silenced"),
    ],
)
def test_an_action_changes_the_state_and_says_who_did_it(
    action: str, state: str, client_of_boss: Client
) -> None:
    chosen, other = rows.failure(1), rows.failure(2)
    act(client_of_boss, action, chosen)
    states = dict(Failure.objects.values_list("pk", "state"))
    assert states == {chosen.pk: state, other.pk: "open"}
    transition = Transition.objects.get()
    assert (transition.failure_id, transition.who, transition.after) == (chosen.pk, "boss", state)


@pytest.mark.parametrize(
    ("releases", "said"), [(["r1"], "2 failures are resolved in the next release"), ([], "resolved now")]
)
def test_resolving_in_the_next_release_says_so(
    releases: list[str], said: str, client_of_boss: Client
) -> None:
    for release in releases:
        Deploy.objects.create(release=release, at=clock.now())
    answer = act(client_of_boss, "resolve_in_next", rows.failure(1), rows.failure(2))
    assert said in answer.content.decode()


def test_a_silence_says_how_long(client_of_boss: Client) -> None:
    made = rows.failure()
    answer = act(client_of_boss, "silence_day", made)
    made.refresh_from_db()
    assert f"1 failure is silent until {exactly(made.silenced_until)}." in answer.content.decode()


def test_an_action_reopens(client_of_boss: Client) -> None:
    chosen = rows.failure(1, state="resolved")
    client_of_boss.post(
        f"{LIST}?state=resolved", {"action": "reopen", "_selected_action": chosen.pk, "index": "0"}
    )
    assert Failure.objects.get().state == "open"


def test_silencing_until_it_happens_more_often_asks_how_often(client_of_boss: Client) -> None:
    chosen = rows.failure()
    asked = act(client_of_boss, "silence_until", chosen)
    assert "an hour" in asked.content.decode()
    assert Failure.objects.get().state == "open"
    wrong = act(client_of_boss, "silence_until", chosen, confirmed="yes", above="0")
    assert "greater than or equal to 1" in wrong.content.decode()
    act(client_of_boss, "silence_until", chosen, confirmed="yes", above="7", why="known")
    chosen.refresh_from_db()
    assert (chosen.state, chosen.silenced_above) == ("silenced", 7)
    assert Transition.objects.get().why == "Up to 7 an hour. known"


def test_an_action_on_all_pages(client_of_boss: Client) -> None:
    made = [rows.failure(number) for number in range(60)]
    act(client_of_boss, "silence_until", made[0], select_across="1")
    act(client_of_boss, "silence_until", made[0], select_across="1", confirmed="yes", above="7")
    assert Failure.objects.filter(state="silenced").count() == 60


def test_no_cell_of_the_csv_is_a_formula(client_of_boss: Client) -> None:
    starts = ("=", "+", "-", "@", "\t", "\r", "\n=", " =", "\uff1d")
    made = [rows.failure(i, message=f"{start}cmd|'x'!A0") for i, start in enumerate(starts)]
    response = act(client_of_boss, "export_csv", *made)
    cells = [cell for row in csv.reader(io.StringIO(response.content.decode())) for cell in row]
    assert len([cell for cell in cells if "cmd|" in cell]) == len(starts)
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))]


def test_the_json_export_holds_what_the_page_shows(client_of_boss: Client) -> None:
    made = rows.failure(message=rows.HOSTILE)
    (exported,) = json.loads(act(client_of_boss, "export_json", made).content)
    assert exported["message"] == rows.HOSTILE
    assert exported["count"] == 40
    assert exported["priority_parts"]["kind"] == 30.0


def test_deleting_does_not_list_everybody_affected(client_of_boss: Client) -> None:
    made = rows.failure()
    rows.occurrence(made)
    for number in range(5):
        rows.affected(made, f"secret{number}")
    asked = client_of_boss.get(f"{LIST}{made.pk}/delete/").content.decode()
    assert "secret0" not in asked
    client_of_boss.post(f"{LIST}{made.pk}/delete/", {"post": "yes"})
    assert not Failure.objects.exists()
    assert not Occurrence.objects.exists()


# A failure's page


def test_the_page_shows_what_happened(client_of_boss: Client) -> None:
    made = rows.failure()
    rows.occurrence(made)
    body = client_of_boss.get(page_of(made)).content.decode()
    for text in (
        "KeyError", "a note", "return profile[key]", "form opened", "4bf92f3577b34da6a3ce929d0e0e4736",
        "0af7651916cd43dd8448eb211c80319c", "1 library frame", "1 of 40 are kept",
    ):  # fmt: skip
        assert text in body
    folded = body.index('class="qaprod-library"')
    assert folded < body.index("django/core/handlers/base.py") < body.index("jobs/views.py")


def test_the_page_says_what_it_did_to_a_journey(client_of_boss: Client, journey: JourneySpec) -> None:
    made = rows.failure(journey=journey.name)
    for number in range(40):
        rows.event(subject=f"app{number}")
    for number in range(12):
        rows.affected(made, f"app{number}", served=number < 9)
    page = client_of_boss.get(page_of(made)).content.decode()
    words = "Job application: 12 of 40 that were started met it; 9 of them were served anyway."
    assert words in page
    assert words in client_of_boss.get(f"{LIST}{made.pk}/text/").content.decode()


def test_an_occurrence_is_chosen_and_pages_are_turned(client_of_boss: Client) -> None:
    made = rows.failure()
    for number in range(25):
        when = clock.now() - timedelta(minutes=number)
        rows.occurrence(made, at=when, request_id=f"request-{number}", id=f"{number:032d}")
    pages = client_of_boss.get(page_of(made)).context["page"].occurrences
    assert (pages.page, pages.pages, len(pages.items)) == (1, 3, 10)
    body = client_of_boss.get(page_of(made, f"?page=3&occurrence={7:032d}")).content.decode()
    assert "<code>request-7</code>" in body
    assert "page 3 of 3" in body
    for nonsense in ("?page=x", "?page=99999", "?page=-1", "?occurrence=zz", "?occurrence=%00", "?window=z"):
        assert client_of_boss.get(page_of(made, nonsense)).status_code == 200


def test_an_occurrence_of_another_failure_is_not_shown(client_of_boss: Client) -> None:
    made, other = rows.failure(1), rows.failure(2)
    strange = rows.occurrence(other, request_id="of-the-other")
    assert (
        "of-the-other" not in client_of_boss.get(page_of(made, f"?occurrence={strange.pk}")).content.decode()
    )


@pytest.mark.parametrize("pk", ["0", "abc", "9" * 30, "1 OR 1=1"])
def test_a_failure_that_is_not_there(pk: str, client_of_boss: Client) -> None:
    assert client_of_boss.get(f"{LIST}{pk}/change/").status_code == 404


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"do": "resolve", "why": "mended"}, {"state": "resolved", "resolve_in_next": False}),
        ({"do": "resolve_in_next"}, {"state": "resolved", "resolve_in_next": True}),
        ({"do": "silence_until", "above": "5"}, {"state": "silenced", "silenced_above": 5}),
        ({"do": "silence_until"}, {"state": "open"}),
        ({"do": "explode"}, {"state": "open"}),
        ({}, {"state": "open"}),
    ],
)
def test_buttons(data: dict[str, str], expected: dict[str, Any], client_of_boss: Client) -> None:
    Deploy.objects.create(release="r1", at=clock.now())
    made = rows.failure()
    response = client_of_boss.post(f"{LIST}{made.pk}/state/", data)
    assert response["Location"] == page_of(made)
    made.refresh_from_db()
    assert {name: getattr(made, name) for name in expected} == expected


def test_a_silence_ends_when_it_was_asked_to(client_of_boss: Client) -> None:
    made = rows.failure()
    client_of_boss.post(f"{LIST}{made.pk}/state/", {"do": "silence", "span": "86400"})
    made.refresh_from_db()
    assert made.silenced_until is not None
    assert timedelta(hours=23) < made.silenced_until - clock.now() < timedelta(hours=25)
    assert "silenced until" in client_of_boss.get(page_of(made)).content.decode()


def test_the_text_for_a_ticket_names_no_user(client_of_boss: Client) -> None:
    made = rows.failure()
    rows.occurrence(made, user="anna@example.org")
    response = client_of_boss.get(f"{LIST}{made.pk}/text/")
    text = response.content.decode()
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "jobs/views.py:12 apply" in text
    assert f"http://testserver{page_of(made)}" in text
    assert "anna" not in text
