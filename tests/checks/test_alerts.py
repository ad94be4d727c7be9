"""What keeps somebody from being told is said before it matters, and without what is secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django
import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from django_qaprod import alerts, gauge, registry
from django_qaprod import checks as all_checks
from django_qaprod.alerts import checks

CANARY = "Canary-Z9y8x7"
MAIL = {"email": ["ada@example.org"]}
HOOK = {"webhook": "https://hooks.example.org/x", "secret": "y"}


class Pager:
    """A channel of the host's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, message: object, /) -> None: ...


@pytest.fixture(autouse=True)
def _well(settings: Settings) -> Iterator[None]:
    use(settings)
    with registry.isolated():
        yield


def use(settings: Any, channels: Any = None, **keys: Any) -> None:
    """Set up what is well, but for these."""
    given = {
        "BASE_URL": "https://jobs.example.org",
        "LAST_RESORT": MAIL,
        "CHANNELS": channels or {"mail": MAIL},
    }
    settings.QAPROD = {**given, **keys}


def found() -> list[CheckMessage]:
    messages = [*checks.check(), *checks.check_deployment()]
    assert CANARY not in "".join(f"{message.msg}{message.hint}" for message in messages)
    return messages


def ids() -> list[str]:
    return [str(message.id).removeprefix("qaprod.") for message in found()]


def the(number: str) -> CheckMessage:
    [message] = [message for message in found() if message.id == f"qaprod.{number}"]
    return message


def test_nothing_is_said_where_all_is_well(settings: Any) -> None:
    assert ids() == []
    use(
        settings,
        {
            "mail": {**MAIL, "sender": "qa@example.org", "timeout": 5},
            "hook": {**HOOK, "secret": ["new", "old"], "allow_private": True, "fallback": "mail"},
            "own": {"class": f"{__name__}.Pager", "options": {}, "per_hour": 5, "fallback": "hook"},
        },
        HEARTBEAT_URL="http://uptime.internal/ping/1",
    )
    alerts.Route("night", to=["own"], escalate_after=timedelta(minutes=5), escalate_to=["mail"])
    assert ids() == []


def test_they_are_among_the_others(settings: Any) -> None:
    use(settings, {"mail": {"emial": CANARY}}, LAST_RESORT=None)
    assert "qaprod.E028" in [message.id for message in all_checks.check_always()]
    assert "qaprod.W029" in [message.id for message in all_checks.check_deployment()]
    settings.QAPROD = {"ENABLED": False, "CHANNELS": {"mail": {}}}
    assert all_checks.check_always() == []


@pytest.mark.parametrize(
    ("options", "number", "said"),
    [
        ({"email": ["ada@example.org"], "emails": CANARY}, "E027", "no key 'emails'"),
        ({**HOOK, "sender": CANARY}, "E027", "no key 'sender'"),
        ({}, "E028", "has a wrong value"),
        ({"emial": CANARY}, "E028", "has a wrong value"),
        ({"email": CANARY, "apprise": CANARY}, "E028", "has a wrong value"),
        ({"email": CANARY}, "E028", "['email'] has a wrong value"),
        ({"email": []}, "E028", "['email'] has a wrong value"),
        ({"email": [7]}, "E028", "['email'] has a wrong value"),
        ({**HOOK, "timeout": 0}, "E028", "['timeout'] has a wrong value"),
        ({**HOOK, "timeout": True}, "E028", "['timeout'] has a wrong value"),
        ({**HOOK, "secret": []}, "E028", "['secret'] has a wrong value"),
        ({**HOOK, "allow_private": CANARY}, "E028", "['allow_private'] has a wrong value"),
        ({**MAIL, "per_hour": 0}, "E028", "['per_hour'] has a wrong value"),
        ({**MAIL, "fallback": 7}, "E028", "['fallback'] has a wrong value"),
        ({"class": "x.Y", "options": [CANARY]}, "E028", "['options'] has a wrong value"),
        ({"class": f"nowhere.{'Pager'}", "options": {"key": CANARY}}, "E031", "cannot be imported"),
        ({"class": f"{__name__}.the"}, "E031", "is no channel"),
        ({"webhook": f"ftp://example.org/{CANARY}", "secret": CANARY}, "E032", "no address that begins with"),
        ({"webhook": f"https://u:{CANARY}@example.org/", "secret": CANARY}, "E032", "user or password"),
        ({"webhook": f"https://example.org/{CANARY}"}, "W028", "no secret"),
        ({**MAIL, "mailer": "nobody"}, "E033", "'nobody', which is not in MAILERS"),
        ({**MAIL, "fallback": "nobody"}, "E029", "'nobody', which is no channel"),
        ({**MAIL, "fallback": "one"}, "E029", "leads back to 'one'"),
    ],
)
def test_a_channel_that_cannot_work(options: dict[str, Any], number: str, said: str, settings: Any) -> None:
    use(settings, {"one": options})
    assert said in the(number).msg
    assert "QAPROD['CHANNELS']['one']" in the(number).msg
    assert ids() == [number]


def test_a_class_s_module_may_raise_what_it_likes(settings: Any, tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "qaprod_broken_channel.py").write_text(f"raise RuntimeError('no {CANARY}')\n")
    monkeypatch.syspath_prepend(tmp_path)
    use(settings, {"one": {"class": "qaprod_broken_channel.X", "options": {"key": CANARY}}})
    assert "RuntimeError: no [masked]" in the("E031").msg


def test_the_last_resort_is_looked_at_as_a_channel(settings: Any) -> None:
    use(settings, LAST_RESORT={**HOOK, "fallback": "mail"})
    assert the("E027").msg == "QAPROD['LAST_RESORT'] has no key 'fallback'; it is ignored."
    use(settings, LAST_RESORT={"webhook": CANARY, "secret": "x"})
    assert ids() == ["E032"]


def test_fallbacks_that_go_round_in_a_circle(settings: Any) -> None:
    use(
        settings,
        {"a": {**MAIL, "fallback": "b"}, "b": {**MAIL, "fallback": "a"}, "c": {**MAIL, "fallback": "a"}},
    )
    assert ids() == ["E029", "E029"], "and not of the one that only leads there"


def test_apprise_is_asked_for_where_it_is_used(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(settings, {"one": {"apprise": f"slack://{CANARY}"}})
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert "django-qaprod[apprise]" in (the("E031").hint or "")
    assert ids() == ["E031"]


def test_addresses_that_apprise_does_not_understand(settings: Any) -> None:
    pytest.importorskip("apprise")
    use(settings, {"one": {"apprise": ["json://localhost/", f"nosuchservice://{CANARY}"]}})
    assert "'nosuchservice'" in the("E032").msg
    assert list(checks.check()) == [], "which is looked at before a deployment alone"


def test_channels_that_are_named_and_do_not_exist(settings: Any) -> None:
    alerts.Route("night", to=["mial", "mail"], escalate_after=timedelta(minutes=5), escalate_to=["boss"])
    alerts.Threshold("many", of=alerts.failures(), at_least=1, window=timedelta(minutes=5), to=["chat"])
    first, second, third = found()
    assert {message.id for message in (first, second, third)} == {"qaprod.E030"}
    assert first.msg.startswith("The route 'night' names the channel 'mial'")
    assert first.hint == "Did you mean 'mail'?"
    assert second.hint == "There are: 'mail'."
    assert third.msg.startswith("The rule 'many' names the channel 'chat'")


@pytest.mark.parametrize("base", ["", "jobs.example.org", "ftp://jobs.example.org", "https://"])
def test_links_need_to_know_where_the_site_is(base: str, settings: Any) -> None:
    use(settings, BASE_URL=base)
    assert ids() == ["W026"]


def test_a_heartbeat_needs_an_address(settings: Any) -> None:
    use(settings, HEARTBEAT_URL=f"uptime/{CANARY}")
    assert the("E032").msg.startswith("QAPROD['HEARTBEAT_URL']: It is no address")


def test_in_production_somebody_should_be_told(settings: Any) -> None:
    settings.QAPROD = {"LAST_RESORT": MAIL}
    settings.ADMINS = []
    assert ids() == ["W027"]
    settings.ADMINS = ["ada@example.org"] if django.VERSION >= (6, 0) else [("Ada", "ada@example.org")]
    assert ids() == ["W026"]
    settings.QAPROD = {"LAST_RESORT": MAIL, "BASE_URL": "https://jobs.example.org"}
    assert ids() == []
    settings.QAPROD = {"BASE_URL": "https://jobs.example.org"}
    assert ids() == ["W029"]


def test_an_hour_without_any_message_is_no_cap(settings: Any) -> None:
    use(settings, NOTIFICATIONS_PER_HOUR=0)
    assert ids() == ["W032"]


def test_rules_of_which_no_route_tells_are_named() -> None:
    """Errors alone: what is less may be meant for the admin."""
    minutes = timedelta(minutes=5)
    alerts.Route("ours", to=["mail"], journeys=["Job"], severity="error")
    alerts.Threshold("many", of=alerts.failures(), at_least=1, window=minutes)
    alerts.Threshold("some", of=alerts.failures(), at_least=1, window=minutes, severity="warning")
    alerts.Threshold("named", of=alerts.failures(), at_least=1, window=minutes, to=["mail"])
    untold = [message.msg for message in found() if message.id == "qaprod.W033"]
    assert any("'many'" in str(message) for message in untold)
    assert not any("'some'" in str(message) or "'named'" in str(message) for message in untold)
    alerts.Route("everything", to=["mail"], severity="error")
    assert "W033" not in ids()


def test_rules_that_can_never_fire_are_named() -> None:
    """By what they say, before anybody waits for them."""
    requests = alerts.requests(route="apply/")
    full = gauge("disk", unit="1", limit=1.0)(lambda: 0.5)
    alerts.Trend("beyond", of=alerts.gauge("disk"), reaches=1.5, within=timedelta(hours=1))
    alerts.Trend("full", of=alerts.gauge("disk"), reaches=1.0, within=timedelta(hours=1))
    alerts.BurnRate("tight", of=requests.errors(), per=requests, objective=0.999)
    alerts.BurnRate("loose", of=requests.errors(), per=requests, objective=0.01, period=timedelta(days=300))
    warned = [str(message.msg) for message in found() if message.id == "qaprod.W031"]
    assert ["'beyond'" in warned[0], "'loose'" in warned[1]] == [True, True]
    assert len(warned) == 2
    assert callable(full)


def test_rules_that_are_named_exist() -> None:
    """A typo would tell of what is explained, or match nothing."""
    alerts.Absence("nobody", of=alerts.requests(), window=timedelta(hours=1), inhibited_by=("request fail",))
    alerts.Route("night", to=("mail",), rules=("no such rule",))
    warned = [message for message in found() if message.id == "qaprod.W030"]
    assert [str(message.hint) for message in warned] == [
        "Did you mean 'requests fail'?", "Name one that is declared.",
    ]  # fmt: skip


def test_journeys_and_expectations_that_are_named_exist() -> None:
    """A route of no journey takes nothing, and no breach is of no expectation."""
    alerts.Route("night", to=("mail",), journeys=("aply",))
    alerts.Threshold("late", of=alerts.breaches("evry one arrives"), at_least=1)
    warned = [str(message.msg) for message in found() if message.id == "qaprod.W030"]
    assert ["the journey 'aply'" in warned[0], "the expectation 'evry one" in warned[1]] == [True, True]


def test_a_channel_is_named_and_there_is_none(settings: Any) -> None:
    """The hint says where they are declared."""
    settings.QAPROD, settings.ADMINS = {}, []
    alerts.Route("all", to=("mail",))
    assert "QAPROD['CHANNELS']" in str(the("E030").hint)


def test_routes_that_no_pattern_has_are_named() -> None:
    """By its name a route is not known, and the rule would be silent for ever."""
    alerts.Threshold("answers", of=alerts.requests(route="admin/login/"), at_most=3)
    assert "W034" not in ids()
    alerts.Threshold("by name", of=alerts.requests(route="admin:login"), at_most=3)
    found = the("W034")
    assert "'by name'" in str(found.msg)
    assert "'admin/login/'" in str(found.hint)


def test_holidays_of_hours_are_known() -> None:
    """Else the rule could not be judged."""
    alerts.Route("day", to=("mail",), hours=alerts.WorkingHours(holidays="XX"))
    assert "the route 'day'" in str(the("E026").msg)


def test_holidays_of_dips_are_known() -> None:
    """As those of hours."""
    with registry.isolated():
        alerts.Dip("few", of=alerts.requests(), holidays="GB-ENG")
        assert "E026" not in ids()
        alerts.Dip("fewer", of=alerts.requests(), holidays="XX")
        assert "the rule 'fewer'" in str(the("E026").msg)
