"""The list of rescued submissions, a submission's page, and what people do with it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.http import HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from django_qaprod import vault
from django_qaprod.models import Failure, RescuedSubmission, SubmissionAct, SubmissionVersion
from django_qaprod.pipeline import guard
from django_qaprod.registry import JourneySpec
from django_qaprod.sent import SentFile, reference_of
from django_qaprod.store import replays, submissions
from django_qaprod.store.replays import Ending
from tests.admin import rows
from tests.forms import kept

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("key")]

LIST = "/admin/qaprod/rescuedsubmission/"


def url(of: RescuedSubmission, view: str = "change") -> str:
    return f"{LIST}{of.pk}/{view}/"


def found(client: Client, query: dict[str, str]) -> set[str]:
    response = client.get(LIST, query)
    assert response.status_code == 200, query
    return {rescued.subject for rescued in response.context["cl"].result_list}


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def queries(client: Client, address: str) -> int:
    contexts = [CaptureQueriesContext(connections[alias]) for alias in connections]
    for context in contexts:
        context.__enter__()
    assert client.get(address).status_code == 200
    for context in contexts:
        context.__exit__(None, None, None)
    return sum(len(context) for context in contexts)


def acts(of: RescuedSubmission) -> list[tuple[str, str, str]]:
    return list(of.acts.order_by("pk").values_list("act", "who", "why"))


def queued() -> set[str]:
    """What has been asked for by the one who is signed in, and is not taken by anybody in a test."""
    asked = SubmissionAct.objects.filter(act="queued", who="boss")
    return set(asked.filter(submission__state="queued").values_list("submission", flat=True))


@pytest.fixture
def no_decryption(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(content: bytes) -> bytes:
        raise AssertionError("decrypted")

    monkeypatch.setattr(vault, "decrypt", refuse)


# The list


@pytest.mark.usefixtures("no_decryption")
def test_the_list_says_who_sent_what_when_and_why_it_waits(client_of_boss: Client) -> None:
    failure = rows.failure()
    made = rows.submission(
        subject="jobs.application:7", user="17", journey="JobApplication", failure=failure.fingerprint
    )
    text = text_of(client_of_boss.get(LIST))
    for word in (reference_of(made.pk), "jobs.application:7", "user 17", "JobApplication", "waiting"):
        assert word in text
    assert f'href="/admin/qaprod/failure/{failure.pk}/change/"' in text
    assert kept.CANARY not in text


def test_the_list_never_reads_what_was_sent(client_of_boss: Client) -> None:
    rows.submission()
    with CaptureQueriesContext(connections["default"]) as read:
        client_of_boss.get(LIST)
    assert not [query for query in read if "qaprod_submissionversion" in query["sql"]]


def test_a_failure_whose_telemetry_is_gone_is_told(client_of_boss: Client) -> None:
    made = rows.submission(failure="v1:gone", days=1)
    text = text_of(client_of_boss.get(LIST))
    assert "<bdi>not stored (any more)</bdi>" in text
    assert ">not stored (any more) v1:gone</a>" in text
    assert "not stored (any more)" in text_of(client_of_boss.get(url(made)))
    assert ">not stored (any more) v1:nobody</a>" in text_of(
        client_of_boss.get(LIST, {"failure": "v1:nobody"})
    )


def test_a_failure_that_was_met_just_now_is_on_its_way(client_of_boss: Client) -> None:
    """What was sent is stored at once, and records of failures some seconds later."""
    made = rows.submission(failure="v1:new")
    for text in (text_of(client_of_boss.get(LIST)), text_of(client_of_boss.get(url(made)))):
        assert "on its way" in text
        assert "not stored" not in text
    assert ">on its way v1:new</a>" in text_of(client_of_boss.get(LIST))


def test_what_is_not_settled_is_listed_unless_asked(client_of_boss: Client) -> None:
    for state in RescuedSubmission.State.values:
        rows.submission(state, subject=state, state=state)
    rows.submission("doubt", subject="doubt", in_doubt="commit")
    assert found(client_of_boss, {}) == {"waiting", "queued", "replaying", "doubt"}
    assert found(client_of_boss, {"state": "doubtful"}) == {"doubt"}
    assert found(client_of_boss, {"state": "discarded"}) == {"discarded"}
    assert len(found(client_of_boss, {"state": "all"})) == 6
    assert found(client_of_boss, {"state": "nonsense"}) == found(client_of_boss, {})


def test_filters(client_of_boss: Client, journey: JourneySpec) -> None:
    failure = rows.failure()
    rows.submission("a", subject="a", journey=journey.name, failure=failure.fingerprint)
    rows.submission("b", subject="b", failure="v1:gone", days=3)
    assert found(client_of_boss, {"journey": journey.name}) == {"a"}
    assert found(client_of_boss, {"failure": failure.fingerprint}) == {"a"}
    assert found(client_of_boss, {"failure": "v1:gone"}) == {"b"}
    assert found(client_of_boss, {"since": "24h"}) == {"a"}
    assert found(client_of_boss, {"since": "7d", "_facets": "True"}) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("{reference}", {"a"}),
        ("id:{reference}", {"a"}),
        ("{spaced}", {"a"}),
        ("{id}", {"a"}),
        ("id:nonsense", set()),
        ("user:17", {"a", "done"}),
        ("17", {"a"}),
        ("subject:b", {"b"}),
        ("view:orders", {"b"}),
        ("ORDERS", {"b"}),
        ("-orders", {"a"}),
        ("is:doubtful", {"b"}),
        ("state:replayed", {"done"}),
        ("is:edited", {"b"}),
        ("request:r-1", {"done"}),
        ("is:expiring", {"a"}),
        ("x\x00y", {"a", "b"}),
        ("zzz", set()),
    ],
)
def test_search(text: str, subjects: set[str], client_of_boss: Client) -> None:
    first = rows.submission("a", subject="a", user="17", days=85)
    rows.submission("b", subject="b", name="shop.orders.pay", in_doubt="page", version=2)
    rows.submission("c", subject="done", user="17", state="replayed", request_id="r-1")
    reference = reference_of(first.pk)
    spaced = f'"{reference.lower().replace("-", " ")}"'
    asked = text.format(reference=reference, id=first.pk, spaced=spaced)
    assert found(client_of_boss, {"q": asked}) == subjects


@pytest.mark.parametrize("name", ["state", "journey", "failure", "since", "q", "o", "p"])
def test_nonsense_in_the_address_is_no_error(name: str, client_of_boss: Client) -> None:
    rows.submission()
    for value in ("\x00", "'", "-1", "\ud800", "x" * 5000):
        response = client_of_boss.get(LIST, {name: value.encode("utf-8", "surrogatepass")})
        assert response.status_code in {200, 302}


def test_the_number_of_queries_does_not_follow_the_number_of_rows(client_of_boss: Client) -> None:
    def add(number: int) -> None:
        failure = rows.failure(number)
        made = rows.submission(f"k{number}", failure=failure.fingerprint)
        rows.act(first, failure=failure.fingerprint, outcome="failed")
        rows.act(made, "queued")
        rows.act(made, failure=failure.fingerprint, outcome="failed")

    first = rows.submission()
    rows.act(first, "queued")
    add(0)
    addresses = (LIST, url(first), f"{LIST}progress/?after=0&by=boss")
    few = [queries(client_of_boss, address) for address in addresses]
    for number in range(1, 30):
        add(number)
    assert [queries(client_of_boss, address) for address in addresses] == few
    assert max(few) <= 20, few


def test_an_empty_list_says_what_will_be_here(client_of_boss: Client) -> None:
    text = text_of(client_of_boss.get(LIST))
    assert "Nobody waits." in text
    assert "@serve_form(" in text
    assert "No submission matches." in text_of(client_of_boss.get(LIST, {"q": "zzz"}))


def test_what_expires_soon_is_warned_of(client_of_boss: Client) -> None:
    made = rows.submission(days=85)
    rows.submission("young")
    assert "1 submission that nobody has settled reaches the age limit" in text_of(client_of_boss.get(LIST))
    assert "It reaches the age limit" in text_of(client_of_boss.get(url(made)))
    RescuedSubmission.objects.update(state="replayed")
    assert "qaprod-banner" not in text_of(client_of_boss.get(LIST))
    assert "It reaches the age limit" not in text_of(client_of_boss.get(url(made)))


@pytest.mark.parametrize(
    ("keys", "words"), [([], "There is no key in QAPROD"), ([kept.KEY, "nonsense"], "1 of QAPROD")]
)
def test_missing_keys_are_warned_of(
    keys: list[str], words: str, client_of_boss: Client, settings: Settings
) -> None:
    made = rows.submission()
    settings.QAPROD = {"RESCUE_KEYS": keys}
    assert words in text_of(client_of_boss.get(LIST))
    assert words in text_of(client_of_boss.get(url(made)))


# A submission's page


@pytest.mark.usefixtures("no_decryption")
def test_the_page_shows_what_is_known_and_what_was_done(client_of_boss: Client) -> None:
    failure = rows.failure()
    made = rows.submission(subject="app:7", request_id="abc-1", failure=failure.fingerprint)
    rows.act(made, "queued", who="ada")
    rows.act(made, attempt=2, outcome="failed", status=500, why="boom", failure=failure.fingerprint)
    text = text_of(client_of_boss.get(url(made)))
    for word in ("app:7", "abc-1", "ada", "replay asked for", "attempt 2", "failed, with status 500", "boom"):
        assert word in text
    assert text.count(f'href="/admin/qaprod/failure/{failure.pk}/change/"') == 2
    assert kept.CANARY not in text


def test_what_was_sent_is_shown_on_request_and_it_is_written_down_who_asked(client_of_boss: Client) -> None:
    made = rows.submission(sent=kept.sent(free_text=("name",), withheld=("letter", "password")))
    response = client_of_boss.post(url(made, "content"))
    text = text_of(response)
    for word in (kept.CANARY, "cv.pdf", "5", "application/pdf", "a part is masked", "shown as free text"):
        assert word in text
    assert re.search(r"Never stored, on purpose:.*password", text)
    assert "no-store" in response["Cache-Control"]
    assert acts(made) == [("viewed", "boss", "")]
    assert kept.CANARY not in text_of(client_of_boss.get(url(made)))


def test_it_is_written_down_before_it_is_shown(
    client_of_boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rows.submission()
    seen = []
    decrypt = vault.decrypt
    monkeypatch.setattr(vault, "decrypt", lambda content: seen.append(acts(made)) or decrypt(content))
    client_of_boss.post(url(made, "content"))
    assert seen == [[("viewed", "boss", "")]]


@pytest.mark.parametrize("keys", [[], [Fernet.generate_key().decode()]])
def test_without_its_key_a_submission_is_unreadable_and_nothing_breaks(
    keys: list[str], client_of_boss: Client, settings: Settings
) -> None:
    made = rows.submission()
    settings.QAPROD = {"RESCUE_KEYS": keys}
    for view in ("content", "file", "edit"):
        assert "Unreadable." in text_of(client_of_boss.post(url(made, view), {"file": "0"})), view
    assert acts(made) == []
    assert reference_of(made.pk) in text_of(client_of_boss.get(LIST))


def test_a_file_is_handed_out_as_nothing_that_a_browser_opens(client_of_boss: Client) -> None:
    files = [("cv", "cv.pdf"), ("b", '../x"\r\nSet-Cookie: a=b\u202egpj.exe'), ("c", "")]
    sent = [
        SentFile(field=field, name=name, content_type="text/html", content=b"<b>") for field, name in files
    ]
    made = rows.submission(sent=kept.sent(files=tuple(sent)))
    for number in range(3):
        response = client_of_boss.post(url(made, "file"), {"file": number, "version": 1})
        assert response.content == b"<b>"
        assert response["Content-Type"] == "application/octet-stream"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Disposition"].startswith("attachment; filename")
        assert "/" not in response["Content-Disposition"]
        assert not re.search("%E2%80%AE|%0D|%2F", response["Content-Disposition"])
        assert "Set-Cookie" not in response
    assert acts(made) == [("viewed", "boss", "file")] * 3
    assert "a file was taken" in text_of(client_of_boss.get(url(made)))


@pytest.mark.parametrize(
    "data", [{"file": "1"}, {"file": "-1"}, {"file": "x"}, {}, {"file": "0", "version": "2"}]
)
def test_a_file_that_is_not_there(data: dict[str, str], client_of_boss: Client) -> None:
    assert client_of_boss.post(url(rows.submission(), "file"), data).status_code == 404


@pytest.mark.parametrize("pk", ["0", "a" * 32, "%00", "1 OR 1=1"])
def test_a_submission_that_is_not_there(pk: str, client_of_boss: Client) -> None:
    for view in ("change", "history", "replay", "discard"):
        assert client_of_boss.get(f"{LIST}{pk}/{view}/").status_code == 404


def test_who_sent_it_is_said_in_words(client_of_boss: Client) -> None:
    ada = User.objects.create_user("ada")
    gone = User.objects.create_user("gone", is_active=False)
    for user, words in (
        (str(ada.pk), f"ada ({ada.pk})"),
        (str(gone.pk), "deactivated since then, so a replay is refused"),
        ("99999", "99999: there is no such user any more"),
        ("no number", "no number: there is no such user any more"),
    ):
        made = rows.submission(user, user=user, sent=kept.sent(user=user))
        assert words in text_of(client_of_boss.get(url(made)))
        assert text_of(client_of_boss.post(url(made, "content"))).count(words) == 2
    nobody = rows.submission("nobody", sent=kept.sent(user=""))
    assert "nobody was signed in" in text_of(client_of_boss.post(url(nobody, "content")))
    unknown = rows.submission("unknown", sent=kept.sent(user="", user_unknown=True))
    assert "nobody could tell whether somebody" in text_of(client_of_boss.post(url(unknown, "content")))


@pytest.mark.parametrize(
    ("in_doubt", "user_ids", "words"),
    [
        ("", "plain", "nobody was signed in"),
        ("visitor", "plain", "nobody could tell"),
        ("visitor", "off", "nobody could tell"),
        ("commit", "plain", "nobody, as far as is known; what was sent may say more"),
        ("", "off", "not stored (QAPROD[&quot;USER_IDS&quot;] is &quot;off&quot;)"),
    ],
)
def test_without_a_user_it_is_said_why(
    in_doubt: str, user_ids: str, words: str, client_of_boss: Client, settings: Settings
) -> None:
    settings.QAPROD = {**settings.QAPROD, "USER_IDS": user_ids}
    made = rows.submission(in_doubt=in_doubt)
    assert f"<dt>user</dt><dd><bdi>{words}" in text_of(client_of_boss.get(url(made)))


def test_whose_visitor_is_not_known_is_not_replayed_as_them(client_of_boss: Client) -> None:
    made = rows.submission(in_doubt="visitor")
    text = text_of(client_of_boss.get(url(made, "replay")))
    assert "nobody could tell whether somebody was signed in" in text
    assert "Somebody was signed in" not in text
    assert "as the visitor who sent it" not in text
    assert "as the visitor who sent it" in text_of(client_of_boss.get(url(rows.submission("b"), "replay")))


def test_keys_of_a_session_that_could_not_be_read_are_not_left_out_on_purpose(client_of_boss: Client) -> None:
    made = rows.submission(sent=kept.sent(withheld=("password", "session:applications")))
    text = text_of(client_of_boss.post(url(made, "content")))
    assert re.search(r"Never stored, on purpose: <bdi>password</bdi></p>", text)
    assert re.search(r"Could not be had of the session[^<]*<bdi>applications</bdi>", text)


def test_the_list_says_that_a_subject_is_one(client_of_boss: Client) -> None:
    rows.submission(subject="42")
    assert "subject 42" in text_of(client_of_boss.get(LIST))


# To edit


def edit(client: Client, made: RescuedSubmission, **data: str) -> HttpResponse:
    values = {"version": str(made.version), "field-0": "Ada", "field-1": kept.CANARY}
    return client.post(url(made, "edit"), {**values, **data})  # type: ignore[return-value]


def test_an_edit_is_a_version_beside_the_original(client_of_boss: Client) -> None:
    made = rows.submission()
    form = text_of(client_of_boss.post(url(made, "edit")))
    assert f'value="{kept.CANARY}"' in form
    assert edit(client_of_boss, made, **{"field-0": "Ada Lovelace"}).status_code == 302
    made.refresh_from_db()
    assert made.version == 2
    assert submissions.opened(made, who="x").fields == (("name", "Ada Lovelace"), ("letter", kept.CANARY))
    assert submissions.opened(made, who="x", version=2).files == kept.sent().files
    original = text_of(client_of_boss.post(url(made, "content"), {"version": "1"}))
    assert "Ada Lovelace" not in original
    assert '<span class="qaprod-quiet">the original</span>' in original
    assert acts(made)[:3] == [("viewed", "boss", "edit"), ("viewed", "boss", "edit"), ("edited", "boss", "")]


@pytest.mark.parametrize("view", ["edit", "content"])
def test_a_reload_leads_back_to_the_page_and_shows_nothing(view: str, client_of_boss: Client) -> None:
    made = rows.submission()
    for ask in (client_of_boss.get, client_of_boss.head):
        answer = ask(url(made, view))
        assert (answer.status_code, answer["Location"]) == (302, url(made))
    assert client_of_boss.put(url(made, view)).status_code == 405
    assert acts(made) == []


def test_lines_stay_lines(client_of_boss: Client) -> None:
    made = rows.submission(sent=kept.sent(fields=(("name", " Ada "), ("letter", "a\nb"))))
    assert "<textarea" in text_of(client_of_boss.post(url(made, "edit")))
    edit(client_of_boss, made, **{"field-0": " Ada ", "field-1": "a\r\nb"})
    made.refresh_from_db()
    assert made.version == 1, "nothing was changed"
    edit(client_of_boss, made, **{"field-0": " Ada ", "field-1": "a\r\nc"})
    made.refresh_from_db()
    assert submissions.opened(made, who="x").fields == (("name", " Ada "), ("letter", "a\r\nc"))


def test_an_edit_shows_what_the_visitor_saw(client_of_boss: Client, settings: Settings) -> None:
    """The labels, the help and the choices; what is none of them stays until somebody chooses."""
    settings.ROOT_URLCONF = "tests.admin.labelled"
    fields = (("name", "Ada"), ("region", "somewhere cold"), ("other", "x"))
    made = rows.submission(sent=kept.sent(fields=fields, free_text=("region",)))
    text = text_of(client_of_boss.post(url(made, "edit")))
    assert '<label for="id_field-0">Your name</label>' in text
    assert "As in your passport." in text
    assert '<option value="somewhere cold" selected>somewhere cold</option>' in text
    assert '<option value="n">North</option>' in text
    assert "shown as free text" in text
    assert '<label for="id_field-2">other</label>' in text
    data = {"version": "1", "field-0": "Ada", "field-1": "somewhere cold", "field-2": "x"}
    client_of_boss.post(url(made, "edit"), data)
    assert SubmissionVersion.objects.count() == 1
    client_of_boss.post(url(made, "edit"), {**data, "field-1": "n"})
    made.refresh_from_db()
    assert submissions.opened(made, who="x").fields[1] == ("region", "n")


def test_what_was_sent_is_shown_as_the_visitor_saw_it(client_of_boss: Client, settings: Settings) -> None:
    """The labels and what was chosen, beside what was sent; of what no form knows, that alone."""
    settings.ROOT_URLCONF = "tests.admin.labelled"
    fields = (("name", "Ada"), ("region", "n"), ("region", "elsewhere"), ("other", "x"))
    made = rows.submission(sent=kept.sent(fields=fields))
    values = client_of_boss.post(url(made, "content")).context["sent"].values
    assert [(one.label, one.name, one.chosen, one.value) for one in values] == [
        ("Your name", "name", "", "Ada"),
        ("Region", "region", "North", "n"),
        ("Region", "region", "", "elsewhere"),
        ("", "other", "", "x"),
    ]
    text = text_of(client_of_boss.post(url(made, "content")))
    assert '<bdi>North</bdi> <bdi class="qaprod-quiet">n</bdi>' in text
    assert '<bdi>Your name</bdi> <bdi class="qaprod-quiet">name</bdi>' in text


def test_what_the_form_would_refuse_is_said_and_stored_all_the_same(
    client_of_boss: Client, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.admin.labelled"
    fields = (("name", "Ada"), ("email", "ada@example.org"), ("tags", "a"), ("tags", "b"), ("broken", "x"))
    made = rows.submission(sent=kept.sent(fields=fields))
    data = {"version": "1", "field-0": "Ada", "field-2": "a", "field-3": "b", "field-4": "x"}
    opened = text_of(client_of_boss.post(url(made, "edit")))
    assert "would refuse" not in opened
    assert re.search(r'<input type="email" name="field-1"', opened)
    stored = client_of_boss.post(
        url(made, "edit"), {**data, "field-1": "secret, not an address"}, follow=True
    )
    made.refresh_from_db()
    assert submissions.opened(made, who="x").fields[1] == ("email", "secret, not an address")
    assert "The form would refuse what is in: Your address." in text_of(stored)
    assert not any("secret" in str(message) for message in stored.context["messages"])
    opened = text_of(client_of_boss.post(url(made, "edit")))
    assert "the form would refuse this: Enter a valid email address." in opened
    assert opened.count("would refuse") == 1
    answer = client_of_boss.post(
        url(made, "edit"), {**data, "version": "2", "field-1": "ada@example.com"}, follow=True
    )
    assert "would refuse" not in text_of(answer)
    guard.take()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("email", "ada@example.org", "email"),
        ("email", "ada@bücher.example", "text"),
        ("email", " ada@example.org", "text"),
        ("born", "1815-12-10", "date"),
        ("born", "10 December 1815", "text"),
        ("name", "Ada", "text"),
        ("unknown", "Ada", "text"),
    ],
)
def test_an_input_has_the_visitor_s_type_where_it_leaves_the_value_as_it_is(
    name: str, value: str, shown: str, client_of_boss: Client, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.admin.labelled"
    made = rows.submission(sent=kept.sent(fields=((name, value),)))
    assert f'<input type="{shown}" name="field-0"' in text_of(client_of_boss.post(url(made, "edit")))


def test_what_is_masked_is_not_judged(client_of_boss: Client, settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.admin.labelled"
    made = rows.submission(sent=kept.sent(fields=(("email", "[masked]"),), withheld=("email",)))
    assert "would refuse" not in text_of(client_of_boss.post(url(made, "edit")))


@pytest.fixture
def client_of_ann() -> Client:
    """Somebody of customer services, who may edit what was sent."""
    user = User.objects.create_user("ann", is_staff=True)
    for act in ("view", "decrypt", "edit", "replay"):
        user.user_permissions.add(Permission.objects.get(codename=f"{act}_rescuedsubmission"))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("who", [{"is_staff": True}, {"is_superuser": True}, {}])
def test_what_staff_have_sent_is_edited_by_superusers_alone(
    who: dict[str, bool], client_of_boss: Client, client_of_ann: Client
) -> None:
    sender = User.objects.create_user("sender", **who)
    made = rows.submission(sent=kept.sent(user=str(sender.pk)))
    answer = client_of_ann.post(url(made, "edit"), follow=True)
    assert ("only a superuser may edit it" in text_of(answer)) is bool(who)
    edit(client_of_ann, made, **{"field-0": "as I like"})
    made.refresh_from_db()
    assert made.version == (1 if who else 2)
    assert edit(client_of_boss, made, **{"field-0": "as the boss likes"}).status_code == 302
    made.refresh_from_db()
    assert made.version == (2 if who else 3)


@pytest.mark.parametrize(("most", "opens"), [(7, True), (6, False), (None, True)])
def test_more_fields_than_django_takes_are_explained(
    most: int | None, opens: bool, client_of_boss: Client, settings: Settings
) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = most
    made = rows.submission(sent=kept.sent(fields=tuple((f"f-{at}", "x") for at in range(4))))
    text = text_of(client_of_boss.post(url(made, "edit"), follow=True))
    assert ("DATA_UPLOAD_MAX_NUMBER_FIELDS" in text) is not opens
    assert ("field-3" in text) is opens


def test_two_edits_at_once_are_one(client_of_boss: Client) -> None:
    made = rows.submission()
    edit(client_of_boss, made, **{"field-0": "first"})
    answer = text_of(edit(client_of_boss, made, **{"field-0": "second"}))
    assert "Somebody else has edited" in answer
    assert 'value="second"' in answer
    made.refresh_from_db()
    assert submissions.opened(made, who="x").fields[0] == ("name", "first")
    assert SubmissionVersion.objects.count() == 2


def test_what_does_not_wait_is_not_edited(client_of_boss: Client) -> None:
    made = rows.submission(state="replayed")
    assert edit(client_of_boss, made, **{"field-0": "x"}).status_code == 302
    assert SubmissionVersion.objects.count() == 1
    assert "Edit…" not in text_of(client_of_boss.get(url(made)))


def test_an_edit_is_replayed(client_of_boss: Client) -> None:
    made = rows.submission()
    response = edit(client_of_boss, made, **{"field-0": "new", "replay": "Save and replay"})
    assert response["Location"].startswith(f"{LIST}progress/?after=")
    assert queued() == {made.pk}


# To replay


def test_a_replay_is_asked_for_and_its_progress_shown(client_of_boss: Client) -> None:
    other = rows.submission("other")
    rows.act(other, "queued")
    made = rows.submission()
    answer = client_of_boss.post(url(made, "replay"), follow=True)
    assert queued() == {made.pk}
    text = text_of(answer)
    assert "1 replay is still to come" in text
    assert 'http-equiv="refresh"' in text
    assert url(made) in text
    failure = rows.failure()
    rows.act(made, outcome="failed", why="no such vacancy", failure=failure.fingerprint, status=500)
    RescuedSubmission.objects.filter(pk=made.pk).update(state="waiting")
    text = text_of(client_of_boss.get(answer.redirect_chain[-1][0]))
    assert "Done: 0 of 1 are replayed." in text
    assert "no such vacancy" in text
    assert f"/admin/qaprod/failure/{failure.pk}/change/" in text
    assert "http-equiv" not in text
    assert "data-every" not in text


@pytest.mark.parametrize("doubt", RescuedSubmission.Doubt.values)
def test_what_is_in_doubt_is_replayed_when_somebody_has_confirmed_it(
    doubt: str, client_of_boss: Client
) -> None:
    made = rows.submission(in_doubt=doubt)
    page = text_of(client_of_boss.get(url(made)))
    assert "In doubt: " in page
    assert f'href="{url(made, "replay")}"' in page
    for answer in (client_of_boss.get(url(made, "replay")), client_of_boss.post(url(made, "replay"))):
        assert ("Replay it as nobody" if doubt == "visitor" else "I have looked: replay it") in text_of(
            answer
        )
    assert queued() == set()
    client_of_boss.post(url(made, "replay"), {"confirmed": "yes"})
    assert queued() == {made.pk}


@pytest.mark.parametrize("state", ["queued", "replaying", "replayed", "discarded"])
def test_what_does_not_wait_is_not_replayed(state: str, client_of_boss: Client) -> None:
    made = rows.submission(state=state)
    assert "It does not wait any more" in text_of(client_of_boss.get(url(made, "replay")))
    answer = client_of_boss.post(url(made, "replay"), {"confirmed": "yes"}, follow=True)
    assert "does not wait any more" in text_of(answer)
    assert queued() == set()


def test_the_action_leaves_out_what_is_in_doubt(client_of_boss: Client) -> None:
    new, old = rows.submission("new"), rows.submission("old", days=1)
    doubtful, settled = rows.submission("doubt", in_doubt="page"), rows.submission("done", state="replayed")
    chosen = [one.pk for one in (new, old, doubtful, settled)]
    data = {"action": "replay", "_selected_action": chosen, "index": "0"}
    answer = client_of_boss.post(f"{LIST}?state=all", data, follow=True)
    assert queued() == {old.pk, new.pk}
    assert "1 submission is in doubt and was left out" in text_of(answer)
    assert "2 replays are still to come" in text_of(answer)
    RescuedSubmission.objects.filter(pk__in=[old.pk, new.pk]).update(state="replayed")
    text = text_of(client_of_boss.get(answer.redirect_chain[-1][0]))
    assert "Done: all 2 submissions that were asked for are replayed." in text


def test_all_of_a_failure_are_replayed_from_its_page(client_of_boss: Client) -> None:
    failure = rows.failure()
    made = rows.submission(failure=failure.fingerprint)
    rows.submission("doubt", failure=failure.fingerprint, in_doubt="page")
    rows.submission("other", failure="v1:other")
    page = text_of(client_of_boss.get(f"/admin/qaprod/failure/{failure.pk}/change/"))
    assert "2 submissions are kept of it:" in page
    assert "1 waiting, 1 in doubt" in page
    assert "Replay all waiting" in page
    answer = client_of_boss.post(f"{LIST}replay-failure/", {"failure": failure.fingerprint}, follow=True)
    assert queued() == {made.pk}
    assert "1 replay is still to come" in text_of(answer)
    answer = client_of_boss.post(f"{LIST}replay-failure/", {"failure": failure.fingerprint}, follow=True)
    assert "No replay was asked for" in text_of(answer)


def test_of_all_of_a_failure_one_is_tried_while_the_fault_is_there(client_of_boss: Client) -> None:
    made = [rows.submission(f"k{number}", failure="v1:f") for number in range(4)]
    answer = client_of_boss.post(f"{LIST}replay-failure/", {"failure": "v1:f"}, follow=True)
    claim = replays.claim(next(replays.queued()))
    assert claim is not None
    replays.give_back(claim, Ending(outcome="failed", why="ValueError"))
    replays.call_off(claim)
    text = text_of(client_of_boss.get(answer.redirect_chain[-1][0]))
    assert "Done: 0 of 4 are replayed." in text
    assert "so 3 others that had failed alike were not tried" in text
    assert "<b>1</b> did not work and wait again" in text
    assert "<b>3</b> called off, and wait untried" in text
    tried, untried = (text_of(client_of_boss.get(url(one))) for one in made[:2])
    assert "Its replay was called off" in untried
    assert "Its replay was called off" not in tried


def test_what_did_not_work_is_told_by_reason(client_of_boss: Client) -> None:
    made = [rows.submission(f"k{number}") for number in range(5)]
    after = rows.act(made[0], "viewed").pk
    for one in made:
        rows.act(one, "queued")
        rows.act(one, outcome="failed", why="ValueError", failure="v1:f", status=500)
    rows.act(made[4], outcome="refused", why="The form is not valid as it was sent.")
    text = text_of(client_of_boss.get(f"{LIST}progress/?after={after}&by=boss"))
    assert text.count("ValueError") == text.count("is not valid as it was sent") == 1
    assert '<td class="qaprod-number">5</td>' in text
    assert "The latest 6 attempts, by reason." in text
    assert [url(one) in text for one in made] == [False, False, False, False, True]


@pytest.mark.parametrize("name", ["jobs.views.apply", "replay of jobs.views.apply"])
def test_a_failure_without_submissions_leads_to_those_of_its_view(client_of_boss: Client, name: str) -> None:
    """A bug that is met by GET and by POST is several failures, and only one of them has the submissions."""
    failure = rows.failure(name=name)
    address = f"/admin/qaprod/failure/{failure.pk}/change/"
    before = queries(client_of_boss, address)
    assert "same view" not in text_of(client_of_boss.get(address))
    for number in range(20):
        rows.submission(f"k{number}", failure="v1:post", subject="post")
    rows.submission("other", failure="v1:post", name="jobs.views.other")
    assert queries(client_of_boss, address) == before
    text = text_of(client_of_boss.get(address))
    assert "20 submissions wait at other failures of the same view." in text
    link = re.search(r'same view\. <a href="([^"]*)"', text)
    assert link
    listed = client_of_boss.get(html.unescape(link[1])).context["cl"].result_list
    assert [one.subject for one in listed] == ["post"] * 20
    rows.submission("own", failure=failure.fingerprint)
    assert "same view" not in text_of(client_of_boss.get(address))


def test_a_failure_of_which_nothing_is_kept_says_nothing(client_of_boss: Client) -> None:
    page = text_of(client_of_boss.get(f"/admin/qaprod/failure/{rows.failure().pk}/change/"))
    assert "kept of it" not in page


@pytest.mark.parametrize(
    ("permissions", "said", "button"),
    [
        ((), False, False),
        (("view_rescuedsubmission",), True, False),
        (("view_rescuedsubmission", "replay_rescuedsubmission"), True, True),
    ],
)
def test_the_failure_page_keeps_to_the_permissions(
    permissions: tuple[str, ...], said: bool, button: bool
) -> None:
    failure = rows.failure()
    rows.submission(failure=failure.fingerprint)
    client = Client()
    client.force_login(rows.user("somebody", "view_failure", *permissions))
    page = text_of(client.get(f"/admin/qaprod/failure/{failure.pk}/change/"))
    assert ("kept of it" in page) == said
    assert ("Replay all waiting" in page) == button


@pytest.mark.parametrize("query", ["", "?after=x&by=boss", "?after=-1&by=%00", f"?after={'9' * 30}&by=boss"])
def test_progress_of_nothing(query: str, client_of_boss: Client) -> None:
    assert "No replay was asked for here." in text_of(client_of_boss.get(f"{LIST}progress/{query}"))


# To discard


def test_discarding_asks_for_the_reason_and_says_that_it_is_for_good(client_of_boss: Client) -> None:
    made = rows.submission()
    assert "This cannot be taken back" in text_of(client_of_boss.get(url(made, "discard")))
    assert "This field is required" in text_of(client_of_boss.post(url(made, "discard"), {"reason": " "}))
    made.refresh_from_db()
    assert made.state == "waiting"
    answer = client_of_boss.post(url(made, "discard"), {"reason": "spam"}, follow=True)
    assert "1 submission is discarded." in text_of(answer)
    made.refresh_from_db()
    assert (made.state, made.decided_by, made.reason) == ("discarded", "boss", "spam")
    assert acts(made) == [("discarded", "boss", "spam")]
    assert "nothing to discard" in text_of(client_of_boss.get(url(made, "discard")))


def test_the_action_discards_with_a_reason(client_of_boss: Client) -> None:
    made = [rows.submission(f"k{number}") for number in range(60)]
    data = {"action": "discard", "_selected_action": made[0].pk, "index": "0", "select_across": "1"}
    asked = text_of(client_of_boss.post(LIST, data))
    assert "60 submissions will be discarded." in asked
    assert 'name="select_across" value="1"' in asked
    client_of_boss.post(LIST, {**data, "reason": "a robot"})
    assert RescuedSubmission.objects.filter(state="discarded", reason="a robot").count() == 60


# Hostile text, other sites


@pytest.fixture
def pages(client_of_boss: Client) -> dict[str, str]:
    failure = rows.failure(fingerprint=rows.HOSTILE[:64], error_type=rows.HOSTILE[:200], message=rows.HOSTILE)
    made = rows.hostile_submission(rows.HOSTILE)
    by = {"after": "0", "by": rows.HOSTILE[:150]}
    found = {
        "list": client_of_boss.get(LIST),
        "page": client_of_boss.get(url(made)),
        "sent": client_of_boss.post(url(made, "content")),
        "edit": client_of_boss.post(url(made, "edit")),
        "replay": client_of_boss.get(url(made, "replay")),
        "discard": client_of_boss.post(url(made, "discard"), {"reason": ""}),
        "progress": client_of_boss.get(f"{LIST}progress/", by),
        "failure": client_of_boss.get(f"/admin/qaprod/failure/{failure.pk}/change/"),
        "filtered": client_of_boss.get(LIST, {"failure": rows.HOSTILE[:64], "q": rows.HOSTILE}),
    }
    client_of_boss.post(url(made, "discard"), {"reason": rows.HOSTILE})
    found["discarded"] = client_of_boss.get(url(made))
    return {name: text_of(response) for name, response in found.items()}


def test_hostile_text_stays_text(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        assert "<script>alert" not in text, name
        shown = re.sub(r' value="[^"]*"', "", re.sub(r"(<textarea[^>]*>)[^<]*", r"\1", text))
        bad = re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0e-\x1f]", shown)
        assert not bad, shown[bad.start() - 200 : bad.end() + 50]
    assert "[U+202E]" in pages["sent"]


def test_nothing_is_inline(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        assert not re.search(r"<[^>]*\sstyle=", text), name
        assert "<style" not in text, name
        assert not re.search(r"<[a-z][^>]*\son[a-z]+=", re.sub(r'"[^"]*"', '""', text)), name
        for script in re.findall(r"<script\b([^>]*)>", text):
            assert "src=" in script or 'type="application/json"' in script, name


@override_settings(ROOT_URLCONF="tests.admin.test_pages")
def test_a_custom_site_has_the_pages(boss: User) -> None:
    failure = rows.failure()
    made = rows.submission(failure=failure.fingerprint)
    client = Client()
    client.force_login(boss)
    office = "/office/qaprod/rescuedsubmission/"
    for response in (
        client.get(office),
        client.get(f"{office}{made.pk}/change/"),
        client.post(f"{office}{made.pk}/content/"),
        client.post(f"{office}{made.pk}/edit/"),
        client.get(f"{office}{made.pk}/discard/"),
        client.get(f"{office}{made.pk}/replay/"),
        client.get(f"/office/qaprod/failure/{failure.pk}/change/"),
        client.post(f"{office}{made.pk}/replay/", follow=True),
    ):
        assert '"/admin/' not in text_of(response)
    assert queued() == {made.pk}


def test_without_telemetry_everything_is_there(client_of_boss: Client) -> None:
    made = rows.submission(failure="v1:gone")
    rows.act(made, failure="v1:gone", outcome="failed")
    assert not Failure.objects.exists()
    for address in (LIST, url(made), url(made, "replay"), f"{LIST}progress/?after=0&by=boss"):
        text_of(client_of_boss.get(address))
    assert SubmissionAct.objects.count() == 1
