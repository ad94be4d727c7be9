from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_qaprod import clock
from django_qaprod.models import Alert, Silence
from django_qaprod.store import silences

pytestmark = pytest.mark.django_db(databases="__all__")

HOUR = timedelta(hours=1)


def made(**given: Any) -> Silence:
    return silences.make(**{"who": "ada", "why": "moving house", "until": clock.now() + HOUR, **given})


def test_a_silence_says_who_asked_why_and_for_how_long() -> None:
    """What is asked for is stored with the moment at which it was."""
    until = clock.now() + HOUR
    silence = Silence.objects.get(pk=made(rule="dips", key="teacher", until=until).pk)
    assert (silence.rule, silence.key, silence.who, silence.why) == ("dips", "teacher", "ada", "moving house")
    assert silence.begins_at == silence.made_at < silence.until == until


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rule": "dips", "everything": True},
        {"rule": "dips", "why": "  "},
        {"rule": "dips", "begins_at": clock.now() + 2 * HOUR},
    ],
)
def test_one_that_names_nothing_says_nothing_or_never_holds_is_refused(given: dict[str, Any]) -> None:
    """A silence of nothing would match nothing, and one without a reason nobody could judge later."""
    with pytest.raises(ValueError, match="A silence"):
        made(**given)
    assert not Silence.objects.exists()


def test_hostile_and_long_words_are_stored_all_the_same() -> None:
    """NUL breaks PostgreSQL, and so does what is longer than its column."""
    silence = Silence.objects.get(pk=made(rule="r\x00", why="w" * 1000, who="u" * 1000).pk)
    assert (silence.rule, len(silence.why), len(silence.who)) == ("r�", 500, 150)


def test_only_those_hold_that_have_begun_and_are_not_over() -> None:
    """A maintenance window holds from its beginning to its end, without the latter."""
    now = clock.now()
    long = made(rule="long", begins_at=now - HOUR, until=now + 2 * HOUR)
    short = made(rule="short", begins_at=now, until=now + HOUR)
    made(rule="over", begins_at=now - HOUR, until=now)
    made(rule="coming", begins_at=now + HOUR, until=now + 2 * HOUR)
    assert silences.active(now) == [long, short]
    assert {silence.rule for silence in silences.active(now + HOUR)} == {"long", "coming"}


def test_ending_one_records_who_and_leaves_those_that_are_over_alone() -> None:
    """Two people who press at once end it once."""
    now = clock.now()
    one, coming = made(rule="one"), made(rule="coming", begins_at=now + HOUR, until=now + 2 * HOUR)
    over = made(rule="over", begins_at=now - 2 * HOUR, until=now - HOUR)
    ids = [one.pk, coming.pk, over.pk]
    assert [silences.end(ids, who="bob"), silences.end(ids, who="eve")] == [2, 0]
    assert silences.active(clock.now()) == silences.active(now + HOUR + HOUR / 2) == []
    assert set(Silence.objects.values_list("rule", "ended_by")) == {
        ("one", "bob"), ("coming", "bob"), ("over", ""),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("named", "fits"),
    [
        ({"rule": "dips"}, True),
        ({"rule": "dips", "key": "teacher"}, True),
        ({"rule": "dips", "key": "head"}, False),
        ({"rule": "others", "key": "teacher"}, False),
        ({"key": "teacher"}, True),
        ({"journey": "jobs"}, True),
        ({"journey": "mail"}, False),
        ({"rule": "dips", "journey": "mail"}, False),
        ({"everything": True}, True),
        ({}, False),
    ],
)
def test_a_silence_matches_when_all_that_it_names_fits(named: dict[str, Any], fits: bool) -> None:
    """One that names nothing asks for no quiet."""
    alert = Alert(rule="dips", key="teacher", journey="jobs")
    silence = Silence(until=clock.now(), **named)
    assert silences.matching(alert, [silence]) is (silence if fits else None)


def test_of_several_the_one_that_ends_last_is_told() -> None:
    """What is said about an alert is until when it is quiet, in the end."""
    now = clock.now()
    short, long = Silence(rule="dips", until=now), Silence(everything=True, until=now + HOUR)
    assert silences.matching(Alert(rule="dips"), [long, short]) is long
    assert silences.matching(Alert(rule="dips"), [short, long]) is long
    assert silences.matching(Alert(rule="dips"), []) is None
