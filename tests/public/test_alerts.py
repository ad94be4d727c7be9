"""Who has the link of a message can say that they are on it and whether it was useful, and nothing else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.signing import TimestampSigner
from django.db import OperationalError, connections
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings

from django_qaprod import clock, conf
from django_qaprod.alerts import addresses, tokens
from django_qaprod.models import Alert, Transition
from django_qaprod.urls import urlpatterns
from tests.admin import rows
from tests.alerts import told
from tests.public.hosts import Below, Plain, Translated

pytestmark = pytest.mark.django_db(databases="__all__")

NOT_ALLOWED = 405


def link(*alerts: Alert, channel: str = "chat") -> str:
    return reverse(
        "qaprod_public:alerts", args=[tokens.make(told.message(*alerts, channel=channel), channel)]
    )


def post(address: str, act: str, **more: str) -> Any:
    # As browsers post elsewhere, with the check for forged posts on.
    return Client(enforce_csrf_checks=True).post(address, {"act": act, **more})


def get(address: str, **headers: str) -> Any:
    return Client().get(address, headers=headers)


def fresh(alert: Alert) -> Alert:
    return Alert.objects.get(pk=alert.pk)


# The matrix: every address, by every method, with each kind of token


def expired(alert: Alert) -> str:
    with time_machine.travel(clock.now() - tokens.GOOD_FOR - timedelta(minutes=1)):
        return valid(alert)


def valid(alert: Alert) -> str:
    return tokens.make(told.message(alert), "chat")


def tampered(alert: Alert) -> str:
    """Return the token of another message of this alert with this one's signature."""
    body, rest = valid(alert).split(".", 1)
    other, _ = valid(alert).split(".", 1)
    assert body != other
    return f"{other}.{rest}"


def of_other_salt(alert: Alert) -> str:
    said = {"message": told.message(alert), "channel": "chat"}
    return TimestampSigner(salt="password reset", sep=".").sign_object(said)


def of_other_key(alert: Alert) -> str:
    said = {"message": told.message(alert), "channel": "chat"}
    return TimestampSigner(key="not ours", salt=tokens._SALT, sep=".").sign_object(said)


TOKENS = {
    "valid": valid,
    "expired": expired,
    "tampered": tampered,
    "other salt": of_other_salt,
    "other key": of_other_key,
    "cut off": lambda alert: valid(alert)[:-1],
    "nothing": lambda alert: "x",
    "very long": lambda alert: "x" * 5_000,
    "not ascii": lambda alert: "ü.ü.ü",
}
MATRIX = {
    "alerts/<str:token>/": {
        "valid": {"GET": 200, "HEAD": 200, "POST": 303, "PUT": 405, "DELETE": 405, "OPTIONS": 405},
        **{
            name: {"GET": 404, "HEAD": 404, "POST": 404, "PUT": 405, "DELETE": 405, "OPTIONS": 405}
            for name in TOKENS
            if name != "valid"
        },
    },
    # It has no token: who may ask is everybody.
    "watch/": {"": {"GET": 503, "HEAD": 503, "POST": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 405}},
}
CASES = [
    (address, token, method, status)
    for address, kinds in MATRIX.items()
    for token, methods in kinds.items()
    for method, status in methods.items()
]


def test_every_public_address_has_its_row() -> None:
    """Who adds one says who may do what there."""
    assert [str(found.pattern) for found in urlpatterns] == list(MATRIX)


@pytest.mark.parametrize(("address", "token", "method", "status"), CASES)
def test_addresses_answer_each_token_and_method(
    address: str, token: str, method: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A POST with a good token acts, and nothing else does; every answer is as closed as the others."""
    monkeypatch.setattr("django_qaprod.public.watch._asker.ask", lambda: None)
    alert = told.alert()
    path = "/watch/" if not token else f"/alerts/{TOKENS[token](alert)}/"
    response: Any = Client(enforce_csrf_checks=True).generic(
        method, path, b"act=acknowledge", "application/x-www-form-urlencoded"
    )
    assert response.status_code == status
    assert bool(fresh(alert).acknowledged_at) == (status == 303)
    assert (response.content == b"") == (method == "HEAD" or status in {303, 405})
    closed(response)


def closed(response: HttpResponse) -> None:
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["X-Frame-Options"] == "DENY"
    policy = response["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; form-action 'self';")
    assert "Vary" not in response or "cookie" not in response["Vary"].lower()
    assert not response.cookies


# What it shows


def test_the_page_shows_what_the_message_said_and_how_it_stands(settings: Settings) -> None:
    """Words, comparison, severity and state; two queries would be one too many."""
    alert = told.alert()
    page = get(link(alert)).content.decode()
    for words in ("applications fail", "14 in 5 min", "usually 0–2", "critical", "For 10 min now."):
        assert words in page
    assert re.findall(r'value="(\w+)"', page) == ["acknowledge", "useful", "useless"]
    assert "<script" not in page


def test_looking_changes_nothing_and_is_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """Programs that scan mail follow every link, and as often as they like."""
    alert = told.alert()
    address, before = link(alert), Alert.objects.values().get()
    with django_assert_num_queries(1, using=conf.telemetry_alias()):
        get(address)
    assert get(f"{address}?act=acknowledge").status_code == 200
    Client().head(address)
    assert Alert.objects.values().get() == before
    assert not Transition.objects.exists()


def test_it_shows_no_failure_and_no_person() -> None:
    """Who has the link may be anybody in the channel: nothing is there that the message did not say."""
    broken = rows.failure(journey="apply", message="secret of a user")
    rows.affected(broken, "ada@example.org")
    page = get(link(told.alert())).content.decode()
    assert "secret" not in page
    assert "ada@example.org" not in page


def test_hostile_words_are_text() -> None:
    """Whatever a rule is called, or its words say."""
    hostile = rows.HOSTILE.replace("\x00", "")
    alert = told.alert(hostile, key=hostile, words=hostile, usual=hostile, journey=hostile[:100])
    page = get(link(alert)).content.decode()
    assert "<script" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_several_alerts_of_one_message_are_one_page() -> None:
    """Each is there, the worst first; one button is for all that wait."""
    mild = told.alert("mild", severity="warning", rank=2)
    bad, done = told.alert("bad"), told.over("done", severity="info", rank=3)
    address = link(mild, bad, done)
    page = get(address).content.decode()
    assert re.findall(r"<h2><bdi>(\w+)</bdi>", page) == ["bad", "mild", "done"]
    assert "3 alerts" in page
    post(address, "acknowledge")
    assert [bool(fresh(alert).acknowledged_at) for alert in (mild, bad, done)] == [True, True, False]
    assert "acknowledge" not in re.findall(r'value="(\w+)"', get(address).content.decode())


def test_the_link_of_a_large_message_is_for_all_of_its_alerts_and_no_longer() -> None:
    """A hundred alerts of one release: the page names each, and one button is for all."""
    many = [told.alert(f"rule {number}") for number in range(100)]
    other, address = told.alert("another message's"), link(*many)
    assert len(address) == len(link(other))
    assert len(set(re.findall(r"<bdi>(rule \d+)</bdi>", get(address).content.decode()))) == 100
    post(address, "acknowledge")
    post(address, "useless")
    assert Alert.objects.filter(acknowledged_by="link (chat)", useful=False).count() == 100
    assert fresh(other).acknowledged_at is None


def test_a_link_is_bound_to_the_channel_that_its_message_went_to() -> None:
    """What a message is known by stands in webhooks: a link of another channel opens nothing of it."""
    alert = told.alert()
    elsewhere = tokens.make(told.message(alert, channel="chat"), "mail")
    assert get(f"/alerts/{elsewhere}/").status_code == 410
    post(f"/alerts/{elsewhere}/", "acknowledge")
    assert fresh(alert).acknowledged_at is None


def test_one_that_is_over_says_so_and_can_only_be_judged() -> None:
    """Nobody has to get up any more."""
    alert = told.over()
    address = link(alert)
    page = get(address).content.decode()
    assert "It is over since" in page
    assert "after 2 h 5 min" in page
    assert re.findall(r'value="(\w+)"', page) == ["useful", "useless"]
    assert post(address, "acknowledge").status_code == 303
    assert fresh(alert).acknowledged_at is None


def test_one_that_is_not_kept_any_more_says_that_there_is_nothing_to_do() -> None:
    """The link may outlive the alert."""
    alert = told.alert()
    address = link(alert)
    alert.delete()
    response = get(address)
    assert response.status_code == 410
    assert "There is nothing to do." in response.content.decode()
    assert post(address, "acknowledge").status_code == 303
    closed(response)


def test_a_link_that_is_not_good_says_what_to_do() -> None:
    """And is the same page whether it was made up, cut off or has grown old."""
    alert = told.alert()
    pages = {get(f"/alerts/{make(alert)}/").content for name, make in TOKENS.items() if name != "valid"}
    assert len(pages) == 1
    page = pages.pop().decode()
    assert "older than 30 days" in page
    assert "sign in to the admin" in page


# What it does


def test_acknowledging_says_by_which_channel_s_link_once() -> None:
    """Who it was nobody knows; where they were told is known. The second time changes nothing."""
    alert = told.alert()
    address = link(alert, channel="night shift")
    response = post(address, "acknowledge")
    assert (response.status_code, response["Location"]) == (303, "./")
    first = fresh(alert)
    assert first.acknowledged_by == "link (night shift)"
    post(link(alert, channel="other"), "acknowledge")
    assert fresh(alert).acknowledged_at == first.acknowledged_at
    assert fresh(alert).acknowledged_by == "link (night shift)"
    assert Transition.objects.count() == 1
    assert "Acknowledged by link (night shift)" in get(address).content.decode()


def test_one_can_say_whether_it_was_useful_and_change_one_s_mind() -> None:
    """The answer that is pressed is shown as such."""
    alert = told.alert()
    address = link(alert)
    for act, useful in (("useful", True), ("useless", False), ("useless", False)):
        assert post(address, act).status_code == 303
        assert fresh(alert).useful is useful
    pressed = re.findall(r'value="(\w+)" aria-pressed="true"', get(address).content.decode())
    assert pressed == ["useless"]
    assert Transition.objects.count() == 2


@pytest.mark.parametrize("act", ["", "resolve", "silence", "delete", "acknowledge "])
def test_it_can_do_nothing_else(act: str) -> None:
    """Whatever is posted: not to this alert, and not to others."""
    alert, other = told.alert(), told.alert("another")
    before = list(Alert.objects.order_by("pk").values())
    post(link(alert), act, alert=str(other.pk), ids=str(other.pk), who="boss")
    assert list(Alert.objects.order_by("pk").values()) == before


def test_a_database_that_cannot_be_reached_is_said_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what the alert may be about."""
    address = link(told.alert())

    def dead(*args: object) -> None:
        raise OperationalError("secret of a server")

    with connections[conf.telemetry_alias()].execute_wrapper(dead):
        shown, acted = get(address), post(address, "acknowledge")
    for response in (shown, acted):
        assert response.status_code == 503
        assert "cannot be reached" in response.content.decode()
        assert "secret" not in response.content.decode()
        closed(response)


def test_a_link_is_good_for_a_month_and_survives_a_new_key(settings: Settings) -> None:
    """Keys are changed; what was sent the day before still works."""
    alert = told.alert()
    address = link(alert)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert get(address).status_code == 200
    with time_machine.travel(clock.now() + tokens.GOOD_FOR - timedelta(minutes=1)):
        assert get(address).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert get(address).status_code == 404


# Where it stands


@pytest.mark.parametrize("host", [Plain, Below, Translated])
@pytest.mark.parametrize("prefix", ["", "/site"])
def test_it_works_wherever_the_host_puts_it(host: type, prefix: str, settings: Settings) -> None:
    """At the root, below a path, a language or a script; the link of a message leads there."""
    settings.ROOT_URLCONF = host
    settings.QAPROD = {"BASE_URL": f"https://jobs.example.org{prefix}/"}
    alert = told.alert()
    path = addresses.act(told.message(alert), "chat").removeprefix("https://jobs.example.org")
    assert path.startswith(f"{prefix}/")
    client = Client(SCRIPT_NAME=prefix)
    assert client.get(path.removeprefix(prefix)).status_code == 200
    assert client.post(path.removeprefix(prefix), {"act": "acknowledge"}).status_code == 303
    assert fresh(alert).acknowledged_at is not None


def test_it_needs_neither_login_nor_session_nor_the_host_s_templates(settings: Settings) -> None:
    """A host that has everybody sign in, no templates, and a database in every request."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    settings.TEMPLATES = []
    alert = told.alert()
    assert get(link(alert)).status_code == 200
    assert post(link(alert), "acknowledge").status_code == 303


def test_it_speaks_the_reader_s_language(settings: Settings) -> None:
    """Its own words are translated where there are translations, and say which language they are."""
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
    with translation.override(None):
        page = get(link(told.alert()), accept_language="ar").content.decode()
    assert '<html lang="ar" dir="rtl">' in page


@pytest.mark.parametrize(
    ("static", "source"),
    [("/static/", "'self'"), ("https://cdn.example.org/s/", "https://cdn.example.org")],
)
def test_stylesheets_may_come_from_where_the_host_keeps_them(
    static: str, source: str, settings: Settings
) -> None:
    """The policy allows that place and no other."""
    settings.STATIC_URL = static
    response = get(link(told.alert()))
    assert f"style-src {source};" in response["Content-Security-Policy"]
    assert f'<link rel="stylesheet" href="{static}qaprod/public.css">' in response.content.decode()
