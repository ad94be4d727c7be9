"""A look and its notifications are kept together, once, whoever looks; people acknowledge and resolve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Alert, Notification, Rule, Transition
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import alerts, looks, outbox
from django_qaprod.store.alerts import Change, Telling, Told

pytestmark = pytest.mark.django_db(databases="__all__")

SPEC = RuleSpec(name="applications fail", kind="threshold", of=Measure(kind="failures"), numbers={})


@pytest.fixture
def at() -> datetime:
    return clock.now() - timedelta(minutes=10)


def change(state: str, at: datetime, key: str = "", **more: Any) -> Change:
    return Change(key=key, state=state, began_at=at, wrong_at=at, **{"words": "3 in 5 min", **more})


def tell(*lanes: str) -> Callable[[Alert], Telling]:
    return lambda alert: Telling(
        told=[Told(lane, clock.now(), "journey apply") for lane in lanes],
        remind_at=clock.now() + timedelta(minutes=30),
        escalate_at=clock.now() + timedelta(minutes=15),
    )


def look(at: datetime, *changes: Change, lanes: Iterable[str] = ("mail", "chat"), **more: Any) -> bool:
    return looks.look(
        SPEC, at=at, verdicts=[{"key": ""}], change=lambda active: changes, tell=tell(*lanes), **more
    )


def fire(at: datetime) -> Alert:
    assert look(at, change("firing", at))
    return Alert.objects.get()


def sent(alert: Alert, *lanes: str) -> None:
    Notification.objects.filter(alert=alert, lane__in=lanes).update(state="sent")


def states(**which: Any) -> Mapping[str, str]:
    return dict(Notification.objects.filter(**which).values_list("lane", "state"))


def test_an_alert_that_fires_is_told_to_each_channel_once(at: datetime) -> None:
    """And it is written down when, why and by whom."""
    alert = fire(at)
    assert (alert.state, alert.fired_at, alert.words, alert.rank) == ("firing", at, "3 in 5 min", 1)
    assert states(kind="firing") == {"mail": "waiting", "chat": "waiting"}
    transition = Transition.objects.get(alert=alert)
    assert (transition.before, transition.after, transition.who) == ("", "firing", "qaprod")
    assert transition.get_after_display() == "firing"
    assert Rule.objects.get().verdicts == [{"key": ""}]


def test_who_looked_earlier_changes_nothing(at: datetime) -> None:
    """A slow evaluator comes too late; so does one of the same moment."""
    fire(at)
    assert not look(at - timedelta(seconds=5), change("resolved", at))
    assert not look(at, change("resolved", at))
    assert Alert.objects.get().state == "firing"
    assert Notification.objects.count() == 2


def test_who_looked_with_a_clock_far_ahead_does_not_look_for_all(at: datetime) -> None:
    """Nor fails for all, and in autumn local time is an hour ahead of itself."""
    Rule.objects.create(name=SPEC.name, judged_at=at + timedelta(hours=1))
    assert look(at, change("firing", at))
    Rule.objects.update(judged_at=at + timedelta(hours=1))
    looks.failed(SPEC, "no such column", at=at)
    assert Rule.objects.get().judged_at == at


def test_alerts_are_changed_in_the_order_in_which_people_change_them(at: datetime) -> None:
    """Or the one would wait for the other, and the database end one of the two."""
    look(at, *(change("firing", at, key) for key in ("b", "a", "c")))
    Alert.objects.filter(key="c").update(rank=0)
    assert [alert.pk for alert in alerts.active(SPEC.name).values()] == sorted(
        Alert.objects.values_list("pk", flat=True)
    )


def test_pending_is_told_to_nobody(at: datetime) -> None:
    """And leaves nothing when it heals."""
    look(at, change("pending", at))
    assert Alert.objects.get().state == "pending"
    assert not Notification.objects.exists()
    later = at + timedelta(seconds=30)
    look(later, change("", at))
    assert not Alert.objects.exists()


def test_pending_that_fires_is_told(at: datetime) -> None:
    """With when it began."""
    look(at, change("pending", at))
    later = at + timedelta(seconds=30)
    look(later, change("firing", at))
    alert = Alert.objects.get()
    assert (alert.state, alert.began_at, alert.fired_at) == ("firing", at, later)
    assert states() == {"mail": "waiting", "chat": "waiting"}
    assert list(Transition.objects.order_by("pk").values_list("after", flat=True)) == ["pending", "firing"]


def test_a_look_that_goes_wrong_in_the_middle_leaves_nothing(at: datetime) -> None:
    """Transition and notification are one transaction."""

    def broken(alert: Alert) -> Telling:
        raise LookupError("no route")

    with pytest.raises(LookupError):
        looks.look(
            SPEC, at=at, verdicts=[], change=lambda active: [change("firing", at)], tell=broken
        )  # fmt: skip
    assert not Alert.objects.exists()
    assert not Transition.objects.exists()
    assert not Rule.objects.exists()


def test_an_evaluation_that_fails_changes_nothing_and_is_shown(at: datetime) -> None:
    """The alert fires on."""
    fire(at)
    later = at + timedelta(seconds=30)
    looks.failed(SPEC, "OperationalError: gone", at=later)
    rule = Rule.objects.get()
    assert (rule.error, rule.judged_at, rule.well_at) == ("OperationalError: gone", later, at)
    assert Alert.objects.get().state == "firing"


def test_where_nothing_can_be_said_nothing_changes(at: datetime) -> None:
    """And it is kept why, and since when."""
    fire(at)
    for minutes in (1, 2):
        look(at + timedelta(minutes=minutes), silent="Has no data.")
    rule = Rule.objects.get()
    assert (rule.silent, rule.silent_since) == ("Has no data.", at + timedelta(minutes=1))
    assert Alert.objects.get().state == "firing"
    look(at + timedelta(minutes=3))
    rule.refresh_from_db()
    assert (rule.silent, rule.silent_since) == ("", None)


def test_who_was_told_that_it_began_is_told_that_it_is_over(at: datetime) -> None:
    """Who was not told yet hears nothing at all."""
    alert = fire(at)
    sent(alert, "mail")
    look(at + timedelta(minutes=1), change("resolved", at, why="0 in 5 min"))
    assert states(kind="resolved") == {"mail": "waiting"}
    assert states(kind="firing") == {"mail": "sent", "chat": "dropped"}
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_at) == ("resolved", at + timedelta(minutes=1))
    assert Transition.objects.order_by("-pk")[0].why == "0 in 5 min"


def test_who_is_being_told_at_this_moment_is_told_that_it_is_over(at: datetime) -> None:
    """What a sender has claimed may have left."""
    fire(at)
    row = Notification.objects.get(lane="chat")
    outbox.claim(Notification, [row.pk], holder="sender")
    look(at + timedelta(minutes=1), change("resolved", at))
    assert states(kind="resolved") == {"chat": "waiting"}


def test_after_it_is_over_it_may_fire_again(at: datetime) -> None:
    """As another alert."""
    fire(at)
    look(at + timedelta(minutes=1), change("resolved", at))
    look(at + timedelta(minutes=2), change("firing", at))
    assert list(Alert.objects.order_by("pk").values_list("state", flat=True)) == ["resolved", "firing"]
    assert alerts.fired_since(SPEC.name, at) == ["", ""]


def test_keys_are_alerts_of_their_own(at: datetime) -> None:
    """One browser fires while the others do not."""
    look(at, change("firing", at, key="Safari"), change("pending", at, key="Firefox"))
    assert {alert.key: alert.state for alert in Alert.objects.all()} == {
        "Safari": "firing", "Firefox": "pending",
    }  # fmt: skip
    assert alerts.active_rules() == {(SPEC.name, SPEC.kind)}
    assert alerts.resolve_rule(SPEC.name, kind=SPEC.kind, why="It was switched off.") == 2


def test_acknowledging_ends_reminders_and_escalation(at: datetime) -> None:
    """Twice is once, and what waits of them is not sent."""
    alert = fire(at)
    assert alerts.remind(alert, [Told("mail", at)], at=at, next_at=None)
    assert alerts.acknowledge([alert.pk], who="ada") == 1
    assert alerts.acknowledge([alert.pk], who="bob") == 0
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.remind_at, alert.escalate_at) == ("ada", None, None)
    assert states(kind="reminder") == {"mail": "dropped"}
    assert states(kind="firing") == {"mail": "waiting", "chat": "waiting"}


def test_an_acknowledgement_is_taken_back(at: datetime) -> None:
    """Once; then it is nobody's, and is reminded of, and told to others, as from the beginning."""
    alert = fire(at)
    telling = Telling(remind_at=at + timedelta(hours=1), escalate_at=at + timedelta(hours=2))
    assert alerts.unacknowledge([alert.pk], who="bob", tell=lambda alert: telling) == 0
    alerts.acknowledge([alert.pk], who="ada")
    assert alerts.unacknowledge([alert.pk], who="bob", tell=lambda alert: telling) == 1
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_at, alert.acknowledged_by) == ("firing", None, "")
    assert (alert.remind_at, alert.escalate_at) == (telling.remind_at, telling.escalate_at)
    latest = Transition.objects.order_by("-pk")[0]
    assert (latest.who, latest.why) == ("bob", "No longer acknowledged; it was by ada.")
    alerts.acknowledge([alert.pk], who="bob")
    alerts.resolve([alert.pk], who="bob")
    assert alerts.unacknowledge([alert.pk], who="bob", tell=lambda alert: telling) == 0, "it is over"


def test_it_is_told_again_once_however_many_evaluators_there_are(at: datetime) -> None:
    """Each has read the same row; one of them writes."""
    fire(at)
    one, other = Alert.objects.get(), Alert.objects.get()
    later = clock.now() + timedelta(hours=1)
    assert [alert.pk for alert in alerts.to_be_told_again(later)] == [one.pk]
    assert alerts.remind(one, [Told("mail", later)], at=later, next_at=later)
    assert not alerts.remind(other, [Told("mail", later)], at=later, next_at=later)
    assert Notification.objects.filter(kind="reminder").count() == 1


def test_who_has_not_heard_that_it_began_is_not_reminded_of_it(at: datetime) -> None:
    """It is held there by a silence, or by another alert that explains it."""
    alert = fire(at)
    Notification.objects.filter(lane="mail").update(held="Silenced by ada: moving")
    alert.refresh_from_db()
    assert alerts.remind(alert, [Told("mail", at), Told("chat", at)], at=at, next_at=at)
    assert list(Notification.objects.filter(kind="reminder").values_list("lane", flat=True)) == ["chat"]


def test_others_are_told_once_of_what_nobody_acknowledges(at: datetime) -> None:
    """And that is written down."""
    fire(at)
    one, other = Alert.objects.get(), Alert.objects.get()
    assert alerts.escalate(one, [Told("sms", at)], at=at)
    assert not alerts.escalate(other, [Told("sms", at)], at=at)
    assert states(kind="escalation") == {"sms": "waiting"}
    assert Transition.objects.filter(why__startswith="Nobody acknowledged").count() == 1


def test_others_are_told_anew_when_who_was_on_it_gives_it_back(at: datetime) -> None:
    """What they heard before was that nobody is on it; then somebody was."""
    alert = fire(at)
    Alert.objects.update(escalate_at=at)
    alert.refresh_from_db()
    assert alerts.escalate(alert, [Told("sms", at)], at=at)
    alerts.acknowledge([alert.pk], who="ada")
    assert states(kind="escalation") == {"sms": "dropped"}
    alerts.unacknowledge([alert.pk], who="ada", tell=lambda alert: Telling(escalate_at=at))
    alert.refresh_from_db()
    assert alerts.escalate(alert, [Told("sms", at)], at=at)
    found = Notification.objects.filter(kind="escalation").order_by("number")
    assert [(one.number, one.state) for one in found] == [(0, "dropped"), (1, "waiting")]


def test_a_person_resolves(at: datetime) -> None:
    """With a reason; a look that comes later finds it over."""
    alert = fire(at)
    assert alerts.resolve([alert.pk], who="ada", why="known") == 1
    assert alerts.resolve([alert.pk], who="bob", why="known") == 0
    transition = Transition.objects.order_by("-pk")[0]
    assert (transition.after, transition.who, transition.why) == ("resolved", "ada", "known")


def test_people_say_whether_it_was_useful(at: datetime) -> None:
    """And may think better of it."""
    alert = fire(at)
    assert alerts.say_useful([alert.pk], True, who="ada") == 1
    assert alerts.say_useful([alert.pk], True, who="ada") == 0
    assert alerts.say_useful([alert.pk], False, who="ada") == 1
    alert.refresh_from_db()
    assert alert.useful is False


def test_a_channel_with_too_long_a_name_costs_no_alert(at: datetime) -> None:
    """Others are told of it."""
    assert look(at, change("firing", at), lanes=("mail", "x" * 200))
    assert set(states()) == {"mail", "x" * 99 + "…"}


@pytest.mark.parametrize(
    "act",
    [
        lambda pk: alerts.acknowledge([pk], who="ada"),
        lambda pk: alerts.resolve([pk], who="ada"),
        lambda pk: alerts.say_useful([pk], True, who="ada"),
    ],
)
def test_what_people_do_writes_before_it_reads(at: datetime, act: Callable[[int], int]) -> None:
    """SQLite refuses who has read and writes then, when anybody has written in between."""
    alert = fire(at)
    with CaptureQueriesContext(connections[telemetry_alias()]) as asked:
        assert act(alert.pk) == 1
    said = [one["sql"].split()[0] for one in asked]
    inside = said[said.index("SAVEPOINT") + 1 :]
    assert inside[0] == "UPDATE"


def test_hostile_words_are_cut_and_cleaned(at: datetime) -> None:
    """NUL, a lone surrogate and a hundred kilobytes."""
    look(at, change("firing", at, words="a\x00b\ud800" + "x" * 100_000, usual="\n\x00"))
    alert = Alert.objects.get()
    assert len(alert.words) <= 500
    assert "\x00" not in alert.words
