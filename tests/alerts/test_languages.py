"""Messages are in the language of the site, where there is a catalogue of it, and else in English."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import translation
from pytest_django import Settings

from django_qaprod import alerts, default_rules, registry
from django_qaprod.alerts import messages, passes, phrases, telling
from django_qaprod.alerts.channels.base import Message
from django_qaprod.alerts.judging import threshold
from django_qaprod.models import Deploy
from django_qaprod.specs import Measure, RuleSpec
from tests.alerts import catalogue, told
from tests.alerts.sight import NOON, FakeSight

pytestmark = pytest.mark.django_db(databases="__all__")

SUBMITTED = Measure(kind="step", journey="apply", name="submitted")
NOW = datetime(2026, 5, 5, 12, 15, tzinfo=UTC)
GERMAN = {
    "critical": "kritisch",
    "%(severity)s: %(what)s (%(usual)s), since %(when)s": "%(severity)s: %(what)s (%(usual)s), seit %(when)s",
    "%(number)s in the last %(window)s": "%(number)s in den letzten %(window)s",
    "the limit is %(limit)s": "die Grenze ist %(limit)s",
    "Since": "Seit",
    "%(when)s, for %(span)s": "%(when)s, also %(span)s",
    "Compared with": "Verglichen mit",
    "Changed before": "Vorher geändert",
    "%(cause)s at %(when)s": "%(cause)s um %(when)s",
    "release %(name)s": "Version %(name)s",
    "Who is on it": "Wer sich kümmert",
    "nobody yet": "noch niemand",
    "%(count)s d": "%(count)s T.",
    "when something happened|D j M H:i": "D j. M H:i",
    ("%(number)s alert since %(cause)s", "%(number)s alerts since %(cause)s"): (
        "%(number)s Alarm seit %(cause)s", "%(number)s Alarme seit %(cause)s"
    ),
    "%(alerts)s: %(names)s": "%(alerts)s: %(names)s",
    "See the requests by route: one is a bug, all of them are a service that is gone.":
        "Sieh sie je Route an.",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _site(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """A German site, of whose words we have a catalogue."""
    catalogue.write(tmp_path, "de", GERMAN)
    settings.LOCALE_PATHS, settings.LANGUAGE_CODE = [str(tmp_path)], "de"
    settings.TIME_ZONE = "Europe/Berlin"
    with registry.isolated(), time_machine.travel(NOW, tick=False):
        yield


def build(number: int = 1, group: str = "") -> Message:
    given = [told.notification(told.alert(f"rule {one}", minutes=3000), group=group) for one in range(number)]
    return messages.build(given, channel="chat", id="m1")


def test_a_message_is_in_the_language_of_the_site_whatever_is_spoken_in_the_thread() -> None:
    """Whole sentences, labels, days, months, units and the language of the HTML."""
    Deploy.objects.create(release="1.4.2", at=NOW - timedelta(minutes=3001))
    with translation.override("en"):
        message = build()
        assert translation.get_language() == "en"
    assert message.subject == "[kritisch] rule 0: 14 in 5 min"
    lines = message.text.splitlines()
    assert lines[0] == "Kritisch: rule 0: 14 in 5 min (usually 0–2), seit So 3. Mai 12:15 CEST"
    assert "Seit: So 3. Mai 12:15 CEST, also 2 T. 2 h" in lines
    assert "Verglichen mit: usually 0–2" in lines
    assert "Vorher geändert: Version 1.4.2 um So 3. Mai 12:14 CEST" in lines
    assert "Wer sich kümmert: noch niemand" in lines
    assert '<html lang="de" dir="ltr">' in message.html
    assert "Wer sich kümmert: noch niemand" in message.html


def test_several_are_counted_as_the_language_counts() -> None:
    """By the plural forms of its catalogue."""
    assert build(3, group="release 1.4.2").subject.startswith("[kritisch] 3 Alarme seit Version 1.4.2: rule")


def test_what_programs_read_stays_as_it_is() -> None:
    """Keys and values with a meaning are no words; what people are told is in their language there, too."""
    data = build().data
    assert (data["kind"], data["severity"], data["channel"]) == ("firing", "critical", "chat")
    (alert,) = data["alerts"]  # type: ignore[misc]
    assert (alert["severity"], alert["state"], alert["told"]) == ("critical", "firing", "firing")
    assert str(data["story"]).startswith("Kritisch: ")


def test_what_happened_is_put_into_words_as_the_site_speaks() -> None:
    """When a rule is judged; the words are kept, and told later."""
    spec = RuleSpec(
        name="many", kind="threshold", of=SUBMITTED, numbers={"at_least": 1000.0, "window": 600.0}
    )
    sight = FakeSight({SUBMITTED: [NOON - place / 10 for place in range(1, 1235)]})
    with translation.override("de"):
        (verdict,) = threshold.judge(spec, sight).verdicts
    assert (verdict.words, verdict.usual) == ("1.234 in den letzten 10 min", "die Grenze ist 1.000")


@pytest.mark.parametrize("wrong", ["%(zahl)s in %(window)s", "%(number)", "100 % in %(window)s"])
def test_a_sentence_that_its_translation_does_not_fit_is_english(
    settings: Settings, tmp_path: Path, wrong: str
) -> None:
    """Somebody's slip in a catalogue must not silence a rule."""
    catalogue.write(tmp_path / "wrong", "de", {"%(number)s in the last %(window)s": wrong})
    settings.LOCALE_PATHS = [str(tmp_path / "wrong")]
    spec = RuleSpec(name="many", kind="threshold", of=SUBMITTED, numbers={"at_least": 3.0, "window": 600.0})
    sight: Any = FakeSight({SUBMITTED: [NOON - place for place in range(1, 9)]})
    with translation.override("de"):
        (verdict,) = passes.judge(spec, sight).verdicts
    assert verdict.words == "8 in the last 10 min"


def test_what_keeps_an_alert_back_is_said_in_english_where_its_translation_does_not_fit(
    settings: Settings, tmp_path: Path
) -> None:
    """One row that is held must not keep a channel from all others."""
    catalogue.write(tmp_path / "wrong", "de", {"“%(rule)s” explains it.": "%(regel)s"})
    settings.LOCALE_PATHS = [str(tmp_path / "wrong")]
    spec = RuleSpec(name="few", kind="ratio", of=SUBMITTED, numbers={}, inhibited_by=("down",))
    alert = told.alert("few")
    with translation.override("de"):
        held = telling.held(alert, "chat", spec, NOW, silences=[], explaining={"down": NOW})
    assert held == "“down” explains it."


def test_rules_that_come_with_the_app_say_what_to_do_in_that_language_too() -> None:
    """Their names are names."""
    firing = told.alert(default_rules.SITE_FAILS, minutes=10)
    text = messages.build([told.notification(firing)], channel="chat", id="m1").text
    assert "Sieh sie je Route an." in text
    assert default_rules.SITE_FAILS in text


def test_where_there_is_no_catalogue_messages_are_english(settings: Settings) -> None:
    """Nothing is left out, and nothing is in two languages."""
    settings.LANGUAGE_CODE = "eo"
    alerts.Threshold("rule 0", of=alerts.failures(), at_least=1, description="Wake Ada.")
    message = build()
    assert "What to do: Wake Ada." in message.text
    assert message.subject.startswith("[critical] rule 0: 14 in 5 min")
    assert message.text.startswith("Critical: rule 0: 14 in 5 min (usually 0–2), since ")


def test_numbers_have_the_separators_of_the_language() -> None:
    """What is a thousand to some is one and a bit to others."""
    with translation.override("de"):
        assert [phrases.number(value) for value in (1234, 3.4)] == ["1.234", "3,4"]
        assert phrases.share(0.9995) == "99,95%"
    with translation.override("en"):
        assert [phrases.number(value) for value in (1234, 3.4)] == ["1,234", "3.4"]
