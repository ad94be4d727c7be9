"""What is due of a channel goes out, together with what has the same cause, as often as is allowed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import DateTimeField, Value
from pytest_django import Settings

from django_qaprod import clock, default_rules, registry
from django_qaprod.alerts import channels, sending, tokens
from django_qaprod.alerts.channels.base import Message
from django_qaprod.exceptions import ChannelError
from django_qaprod.models import Alert, Channel, Notification, Rule
from django_qaprod.public import shown
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import alerts, outbox, silences
from tests.public.hosts import Plain

pytestmark = pytest.mark.django_db(databases="__all__")

Fire = Callable[..., Notification]


class Post:
    """A channel of the host's that keeps what it is sent, or refuses it."""

    sent: list[Message] = []
    error: ChannelError | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, message: Message) -> None:
        if Post.error is not None:
            raise Post.error
        Post.sent.append(message)


class Spare(Post):
    """The channel that stands in for it."""

    def send(self, message: Message) -> None:
        Post.sent.append(message)


@pytest.fixture(autouse=True)
def _post(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {
        "CHANNELS": {"post": {"class": f"{__name__}.Post", "per_hour": 4}},
        "DEFAULT_RULES": False,
    }
    Post.sent, Post.error = [], None
    with registry.isolated():
        registry._rules.clear()
        registry._routes.clear()
        yield


@pytest.fixture
def fire() -> Fire:
    """Make an alert that fires, and its notification to the channel."""
    made = iter(range(1000))

    def make(rule: str = "", *, group: str = "", kind: str = "firing", due: float = -1, **more: Any) -> Any:
        at = clock.now()
        fields = {"severity": "error", "rank": 1, "state": "firing", "kind": "threshold", **more}
        alert = Alert.objects.create(
            rule=rule or f"rule {next(made)}", began_at=at, wrong_at=at, fired_at=at,
            words="3 in 5 min", **fields,
        )  # fmt: skip
        return Notification.objects.create(
            alert=alert, lane="post", kind=kind, group=group or f"rule {alert.rule}", made_at=at,
            due_at=at + timedelta(seconds=due),
        )  # fmt: skip

    return make


def send() -> list[str]:
    """Send what is due; return the subjects of what went out by it."""
    before = len(Post.sent)
    sending.send_due("post", threading.Event())
    return [message.subject for message in Post.sent[before:]]


def state(row: Notification) -> str:
    row.refresh_from_db()
    return row.state


def test_what_is_due_goes_out_and_is_marked(fire: Fire) -> None:
    """With its subject."""
    row = fire("applications fail")
    assert len(send()) == 1
    assert "applications fail" in Post.sent[0].subject
    assert state(row) == "sent"
    assert (row.via, row.subject, row.tries) == ("", Post.sent[0].subject, 1)
    assert Post.sent[0].id == row.message
    assert send() == []


def test_which_channel_stood_in_is_said(fire: Fire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "send", lambda lane, message, **options: "mail")
    row = fire("applications fail")
    send()
    assert (state(row), row.via) == ("sent", "mail")


def test_what_is_not_due_waits(fire: Fire) -> None:
    """For others of its cause."""
    row = fire(due=20)
    assert send() == []
    assert state(row) == "waiting"


def test_alerts_of_one_cause_are_one_message(fire: Fire) -> None:
    """Also those that are not due yet; others are messages of their own."""
    rows = [fire(group="release 2"), fire(group="release 2"), fire(group="release 2", due=25)]
    other = fire(group="journey pay")
    assert len(send()) == 2
    assert len({state(row) and row.message for row in rows}) == 1
    assert [state(row) for row in (*rows, other)] == ["sent"] * 4


def test_the_worst_goes_first(fire: Fire) -> None:
    """Whatever waited longer."""
    fire("mild", severity="warning", rank=2, due=-60)
    fire("grave", severity="critical", rank=0)
    assert ["grave" in subject for subject in send()] == [True, False]


def test_what_could_not_be_sent_is_tried_again_later(fire: Fire) -> None:
    """Under the same id."""
    row = fire()
    Post.error = ChannelError("It is down.")
    assert send() == []
    assert state(row) == "waiting"
    assert "down" in row.error
    Post.error, first = None, row.message
    Notification.objects.update(due_at=clock.now() - timedelta(seconds=1))
    assert len(send()) == 1
    assert Post.sent[0].id == first


def test_the_link_to_act_is_for_all_of_a_message_also_when_it_is_sent_again(
    fire: Fire, settings: Settings
) -> None:
    """More than a message names; whoever died in mid-send may have sent one with the same link."""
    settings.ROOT_URLCONF = Plain
    settings.QAPROD = {**settings.QAPROD, "BASE_URL": "https://jobs.example.org"}
    rows = [fire(group="release 2") for _ in range(25)]
    message = outbox.claim(Notification, [row.pk for row in rows], holder="dead")
    Notification.objects.update(claimed_until=clock.now() - timedelta(seconds=5))
    assert len(send()) == 1
    ticket = tokens.read(Post.sent[0].act.split("/")[-2])
    assert ticket == tokens.Ticket(message, "post")
    assert {alert.pk for alert in shown.alerts(ticket)} == {row.alert_id for row in rows}


def test_what_can_never_be_sent_is_given_up_and_the_rest_goes_on(fire: Fire) -> None:
    """No message blocks another."""
    row = fire()
    Post.error = ChannelError("No such address.", permanent=True)
    send()
    assert state(row) == "failed"
    Post.error = None
    fire()
    assert len(send()) == 1


def test_the_last_message_of_an_hour_is_a_digest_of_all_that_waits(fire: Fire) -> None:
    """Seven thousand alerts are not seven thousand mails."""
    rows = [fire() for _ in range(10)]
    sent = send()
    assert len(sent) == 4
    assert [message.kind for message in Post.sent] == ["firing"] * 3 + ["digest"]
    assert {state(row) for row in rows} == {"sent"}
    assert len({row.message for row in rows}) == 4
    late = fire()
    assert send() == [], "the hour is full"
    assert state(late) == "waiting"
    Notification.objects.filter(message=Post.sent[0].id).update(sent_at=clock.now() - timedelta(hours=2))
    assert len(send()) == 1


def test_a_digest_is_of_more_than_is_in_memory_at_once(fire: Fire, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts and tells all that waits, but for what is held; and what is tried again is the same."""
    monkeypatch.setattr(sending, "MOST", 6)
    monkeypatch.setattr(outbox, "_MOST_AT_ONCE", 4)
    silences.make(who="ada", why="moving", until=clock.now() + timedelta(hours=1), rule="noisy")
    rows = [fire() for _ in range(3)]
    noisy = fire("noisy", severity="warning", rank=2)
    rows += [fire("late", key=str(number), severity="warning", rank=2) for number in range(20)]
    rows += [fire("minor", key=str(number), severity="info", rank=3, due=25) for number in range(4)]
    Notification.objects.create(
        alert=rows[-1].alert, lane="post", kind="reminder", made_at=clock.now(), due_at=clock.now(),
        group="again",
    )  # fmt: skip
    assert len(send()) == 4
    digest = Post.sent[-1]
    assert digest.subject == "[warning] 24 alerts were held back: late (20), minor (4)"
    assert "- late: 20\n- minor: 4" in digest.text
    assert "and 18 more alerts" in digest.text
    assert digest.data["left_out"] == 18
    assert {state(row) for row in rows} == {"sent"}
    assert (state(noisy), noisy.held) == ("waiting", "Silenced by ada: moving")
    assert not Notification.objects.filter(kind="reminder", state="waiting").exists()
    Notification.objects.filter(message=digest.id).update(
        state="waiting", holder="dead", claimed_until=clock.now() - timedelta(seconds=5)
    )
    assert send() == [digest.subject]
    assert Post.sent[-1].id == digest.id


def test_what_is_held_is_not_in_the_way_of_what_is_due(fire: Fire, monkeypatch: pytest.MonkeyPatch) -> None:
    """However grave, and however many they are."""
    monkeypatch.setattr(sending, "MOST", 5)
    silences.make(who="ada", why="moving", until=clock.now() + timedelta(hours=1), rule="noisy")
    for number in range(5):
        fire("noisy", key=str(number), severity="critical", rank=0)
    fire("mild", severity="warning", rank=2)
    assert send() == []
    assert len(send()) == 1
    assert "mild" in Post.sent[0].subject


def test_what_is_critical_is_told_although_the_hour_is_full(fire: Fire) -> None:
    """Up to as many again."""
    for _ in range(10):
        fire()
    send()
    fire("grave", severity="critical", rank=0)
    assert len(send()) == 1


def test_what_is_critical_is_seen_behind_a_flood(fire: Fire, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait for the next hour."""
    monkeypatch.setattr(sending, "MOST", 5)
    for _ in range(4):
        fire()
        send()
    for _ in range(6):
        fire(due=-60)
    fire("grave", severity="critical", rank=0)
    assert ["grave" in subject for subject in send()][:1] == [True]


# What stands in


@pytest.fixture
def spare(settings: Settings) -> None:
    """A channel of six messages an hour that stands in for the one that takes eight, which is down."""
    settings.QAPROD = {
        "CHANNELS": {
            "post": {"class": f"{__name__}.Post", "per_hour": 8, "fallback": "spare"},
            "spare": {"class": f"{__name__}.Spare", "per_hour": 6},
        },
        "DEFAULT_RULES": False,
    }
    Post.error = ChannelError("It is down.")


def an_hour_later() -> None:
    Notification.objects.filter(state="sent").update(sent_at=clock.now() - timedelta(minutes=61))


def again() -> list[str]:
    """Send what is due, and what is tried again."""
    Notification.objects.filter(state="waiting").update(due_at=clock.now() - timedelta(seconds=1))
    return send()


@pytest.mark.usefixtures("spare")
def test_a_fallback_takes_no_more_than_its_own_hour_has_and_nothing_is_lost(fire: Fire) -> None:
    """However many it stands in for: what is left is told by a digest, with the counts."""
    rows = [fire() for _ in range(10)]
    send()
    assert [message.kind for message in Post.sent] == ["firing"] * 5 + ["digest"]
    assert {(state(row), row.via) for row in rows} == {("sent", "spare")}
    late = fire()
    assert again() == [], "its hour is full"
    assert state(late) == "waiting"
    an_hour_later()
    assert len(again()) == 1


@pytest.mark.usefixtures("spare")
def test_what_was_taken_by_a_fallback_leaves_the_hour_of_the_channel_that_failed(fire: Fire) -> None:
    """It was told of nothing: when it is well again it takes as many as it may."""
    for _ in range(6):
        fire()
    send()
    Post.error = None
    Channel.objects.all().delete()
    for _ in range(7):
        fire()
    assert len(send()) == 7
    assert Counter(Notification.objects.values_list("via", flat=True)) == {"": 7, "spare": 6}


@pytest.mark.usefixtures("spare")
def test_what_waits_for_room_in_a_fallback_is_never_given_up(fire: Fire) -> None:
    """Under its id, however often it is tried; and what is critical may take as many again."""
    for number in range(6):
        Notification.objects.filter(pk=fire().pk).update(
            lane="spare", state="sent", sent_at=clock.now(), message=str(number)
        )
    row = fire()
    send()
    row.refresh_from_db()
    message = row.message
    for _ in range(outbox.MOST_TRIES + 2):
        Channel.objects.all().delete()
        again()
    row.refresh_from_db()
    assert (row.state, row.message, row.tries) == ("waiting", message, 1)
    assert "spare: It has taken as many messages within the hour as it may." in row.error
    fire("grave", severity="critical", rank=0)
    assert len(send()) == 1
    an_hour_later()
    assert len(again()) == 1
    assert Post.sent[-1].id == message


# A channel that is down


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], list[str]]]:
    """Let minutes pass, in each of which it is sent; return what went out. Leases go by the same clock."""
    with time_machine.travel(datetime(2026, 11, 29, 12, tzinfo=UTC), tick=False) as time:
        monkeypatch.setattr(outbox, "Now", lambda: Value(clock.now(), output_field=DateTimeField()))
        monkeypatch.setattr(
            outbox, "_from_now", lambda span: Value(clock.now() + span, output_field=DateTimeField())
        )

        def pass_by(minutes: float) -> list[str]:
            sent = []
            for _ in range(int(minutes)):
                time.shift(60)
                sent += send()
            return sent

        yield pass_by


Later = Callable[[float], list[str]]


@pytest.mark.parametrize("unsent", [False, True])
@pytest.mark.parametrize("minutes", [20, 90])
def test_after_an_outage_nothing_is_lost_and_one_hour_is_not_exceeded(
    fire: Fire, later: Later, minutes: int, unsent: bool
) -> None:
    """All that waited is told, by as many messages as the hour has, the last of which is a digest."""
    rows = [fire() for _ in range(40)]
    Post.error = ChannelError("It is down.", unsent=unsent)
    assert later(minutes) == []
    assert set(Notification.objects.values_list("state", flat=True)) == {"waiting"}
    claimed = Notification.objects.exclude(message="").count()
    assert claimed == 0 if unsent else 0 < claimed < 6, "what may have left keeps its id"
    Post.error = None
    assert len(later(50)) == 4
    assert [message.kind for message in Post.sent] == ["firing"] * 3 + ["digest"]
    assert {state(row) for row in rows} == {"sent"}


def test_while_all_that_may_take_it_are_left_alone_none_is_claimed(
    fire: Fire, later: Later, settings: Settings
) -> None:
    """A circle of two that are down."""
    settings.QAPROD = {
        "CHANNELS": {
            "post": {"class": f"{__name__}.Post", "fallback": "other"},
            "other": {"class": f"{__name__}.Post", "fallback": "post"},
        },
        "DEFAULT_RULES": False,
        "NOTIFICATIONS_PER_HOUR": 4,
    }
    rows = [fire() for _ in range(30)]
    Post.error = ChannelError("It is down.")
    assert later(30) == []
    assert 0 < Notification.objects.exclude(message="").count() < 6
    Post.error = None
    assert len(later(40)) == 4
    assert {state(row) for row in rows} == {"sent"}
    assert len({message.id for message in Post.sent}) == len(Post.sent)


def test_what_is_tried_again_waits_for_the_next_hour_as_well(fire: Fire) -> None:
    """The last of an hour is kept for the digest; what is critical has its own allowance."""
    for _ in range(5):
        outbox.claim(Notification, [fire().pk], holder="dead")
    grave = fire("grave", severity="critical", rank=0)
    message = outbox.claim(Notification, [grave.pk], holder="dead")
    Notification.objects.update(claimed_until=clock.now() - timedelta(seconds=5))
    Notification.objects.filter(pk=grave.pk).update(due_at=clock.now())
    fire(), fire()
    send()
    assert [message.kind for message in Post.sent] == ["firing"] * 3 + ["digest", "firing"]
    assert Post.sent[-1].id == message
    assert send() == []
    an_hour_later()
    assert len(send()) == 2


def test_what_had_been_claimed_and_never_left_is_told_before_that_it_is_over(fire: Fire) -> None:
    """It is over meanwhile: what had been claimed by then is not dropped."""
    row = fire()
    message = outbox.claim(Notification, [row.pk], holder="a")
    alerts.resolve([row.alert_id], who="bob", why="mended")
    outbox.failed(Notification, message, holder="a", error="left alone", unsent=True)
    assert send() == []
    for _ in range(2):
        again()
    assert [message.kind for message in Post.sent] == ["firing", "resolved"]
    assert "over by now" in Post.sent[0].text


def test_what_is_silenced_is_kept_back_and_says_why(fire: Fire) -> None:
    """Until the silence ends."""
    row = fire("noisy")
    quiet = silences.make(who="ada", why="moving", until=clock.now() + timedelta(hours=1), rule="noisy")
    assert send() == []
    row.refresh_from_db()
    assert (row.state, row.held) == ("waiting", "Silenced by ada: moving")
    silences.end([quiet.pk], who="ada")
    Notification.objects.update(due_at=clock.now() - timedelta(seconds=1))
    assert len(send()) == 1


def test_whoever_heard_that_it_began_hears_that_it_is_over_even_in_a_silence(fire: Fire) -> None:
    """Or they would wait for it."""
    row = fire("noisy")
    send()
    silences.make(who="ada", why="moving", until=clock.now() + timedelta(hours=1), rule="noisy")
    alerts.resolve([row.alert_id], who="bob", why="mended")
    assert len(send()) == 1
    assert Post.sent[-1].kind == "resolved"


def test_what_ends_while_it_is_kept_back_is_never_told(fire: Fire) -> None:
    """Neither that it began nor that it is over."""
    row = fire("noisy")
    silences.make(who="ada", why="moving", until=clock.now() + timedelta(hours=1), rule="noisy")
    send()
    alerts.resolve([row.alert_id], who="bob", why="mended")
    assert send() == []
    assert state(row) == "dropped"
    assert Notification.objects.count() == 1


def test_what_another_alert_explains_waits_for_its_end(fire: Fire) -> None:
    """The dip is told if it is still there when the site is up again."""
    fire(default_rules.SITE_FAILS, severity="critical", rank=0)
    with registry.isolated():
        registry.register_rule(RuleSpec(name="few", kind="dip", of=Measure("step"), numbers={}))
        row = fire("few", kind="dip")
        assert len(send()) == 1
        row.refresh_from_db()
        assert default_rules.SITE_FAILS in row.held


def explained_by_down(fire: Fire, *, right_for: float, resolved: bool) -> Any:
    """Make an alert that “down” explains, which was right for so many minutes; return its notification."""
    registry.register_rule(
        RuleSpec(name="few", kind="threshold", of=Measure("step"), numbers={}, inhibited_by=("down",))
    )
    wrong_at = clock.now() - timedelta(minutes=right_for)
    down = Alert.objects.filter(pk=fire("down", due=600).alert_id)
    down.update(wrong_at=wrong_at, began_at=wrong_at - timedelta(minutes=9))
    if resolved:
        down.update(state="resolved", resolved_at=clock.now())
    return fire("few")


def began(row: Any, *, ago: float) -> None:
    """Have an alert begun so many minutes ago, and its notification due."""
    Alert.objects.filter(pk=row.alert_id).update(began_at=clock.now() - timedelta(minutes=ago))
    Notification.objects.filter(pk=row.pk).update(due_at=clock.now() - timedelta(seconds=1))


@pytest.mark.parametrize("resolved", [False, True])
def test_what_is_not_wrong_any_more_explains_what_began_before(fire: Fire, resolved: bool) -> None:
    """The windows of what it explains are longer, and so end later; what begins afterwards is news."""
    row = explained_by_down(fire, right_for=6, resolved=resolved)
    began(row, ago=7)
    assert send() == []
    row.refresh_from_db()
    assert row.held == "“down” explains it."
    began(row, ago=1)
    assert len(send()) == 1


@pytest.mark.parametrize("resolved", [False, True])
def test_what_was_right_for_ten_minutes_explains_nothing(fire: Fire, resolved: bool) -> None:
    """Though it may fire for some minutes more: what is wrong still is told."""
    began(explained_by_down(fire, right_for=11, resolved=resolved), ago=12)
    assert len(send()) == 1


def test_what_was_held_and_is_wrong_no_more_is_not_told_unless_it_is_again(fire: Fire) -> None:
    """It is kept firing for some minutes, in which what explained it has ended: that would be old news."""
    row = fire("noisy")
    quiet = silences.make(who="ada", why="moving", until=clock.now() + timedelta(hours=1), rule="noisy")
    send()
    silences.end([quiet.pk], who="ada")
    # Nor reminded of.
    Notification.objects.create(
        alert=row.alert, lane="post", kind="reminder", made_at=clock.now(), due_at=clock.now()
    )

    def seen_wrong(**ago: float) -> list[str]:
        Alert.objects.update(wrong_at=clock.now() - timedelta(**ago))
        Notification.objects.update(due_at=clock.now() - timedelta(seconds=1))
        return send()

    assert seen_wrong(minutes=6) == []
    row.refresh_from_db()
    assert (row.state, row.held) == ("waiting", "It was not wrong lately: it is told if it is again.")
    assert len(seen_wrong(seconds=30)) > 0


def test_what_waited_for_no_reason_of_its_own_is_told_late(fire: Fire) -> None:
    """Nobody has sent for a while, as when the worker was down: it is news all the same."""
    fire("noisy")
    Alert.objects.update(wrong_at=clock.now() - timedelta(minutes=20))
    assert len(send()) == 1


def test_what_cannot_be_put_into_words_is_told_all_the_same(
    fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it fires, if nothing else."""

    def broken(*args: Any, **kwargs: Any) -> Message:
        raise LookupError("no template")

    monkeypatch.setattr(sending.messages, "build", broken)
    fire("applications fail")
    assert send() == ["[error] applications fail"]
    assert Post.sent[0].text == "firing: applications fail: 3 in 5 min"


def test_who_died_in_mid_send_is_followed_by_the_same_message(fire: Fire) -> None:
    """Under the same id, so that the receiver knows it."""
    row = fire()
    message = outbox.claim(Notification, [row.pk], holder="dead")
    assert send() == [], "its lease lasts"
    Notification.objects.update(claimed_until=clock.now() - timedelta(seconds=5))
    assert len(send()) == 1
    assert Post.sent[0].id == message


def test_who_is_told_late_is_not_reminded_at_once(fire: Fire) -> None:
    """After a silence, or a night, what waited is one message."""
    row = fire("noisy")
    for number in (1, 2):
        Notification.objects.create(
            alert=row.alert, lane="post", kind="reminder", number=number, made_at=clock.now(),
            due_at=clock.now(), group="again noisy",
        )  # fmt: skip
    assert len(send()) == 1
    assert sorted(Notification.objects.values_list("kind", "state")) == [
        ("firing", "sent"), ("reminder", "dropped"), ("reminder", "dropped"),
    ]  # fmt: skip


def test_that_it_is_over_waits_until_it_is_known_that_it_began(fire: Fire) -> None:
    """What could not be sent at first is tried again first, and says that it is over by now."""
    row = fire()
    Post.error = ChannelError("It is down.")
    send()
    Post.error = None
    alerts.resolve([row.alert_id], who="bob", why="mended")
    assert send() == []
    over = Notification.objects.get(kind="resolved")
    assert over.held == "That it began is being told first."
    for _ in range(2):
        Notification.objects.update(due_at=clock.now() - timedelta(seconds=1))
        send()
    assert [message.kind for message in Post.sent] == ["firing", "resolved"]
    assert "over by now" in Post.sent[0].text


def test_what_nobody_can_judge_explains_nothing(fire: Fire) -> None:
    """A rule that cannot be judged goes on firing; others are told again after an hour."""
    registry.register_rule(
        RuleSpec(name="few", kind="threshold", of=Measure("step"), numbers={}, inhibited_by=("down",))
    )
    fire("down", due=600)
    row = fire("few")
    Rule.objects.create(name="down", error="RuntimeError: no")
    Alert.objects.filter(rule="down").update(wrong_at=clock.now() - timedelta(minutes=59))
    assert send() == []
    began(row, ago=1)
    Alert.objects.filter(rule="down").update(wrong_at=clock.now() - timedelta(minutes=61))
    assert len(send()) == 1


def test_rows_that_somebody_holds_are_not_asked_for_over_and_over(
    fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next look asks again."""
    fire()
    asked: list[int] = []
    stop = threading.Event()

    def claim(*args: object, **options: object) -> str:
        asked.append(1)
        if len(asked) > 3:
            stop.set()
        return ""

    monkeypatch.setattr(outbox, "claim", claim)
    assert sending.send_due("post", stop) == 0
    assert len(asked) == 1
