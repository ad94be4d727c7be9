"""What is to leave is claimed by one, sent under one id, and claimed again when its sender has died."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.db.models import Q

from django_qaprod import clock
from django_qaprod.models import Alert, Notification
from django_qaprod.store import outbox

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def alert() -> Alert:
    at = clock.now()
    return Alert.objects.create(
        rule="r", kind="threshold", severity="error", state="firing", began_at=at, wrong_at=at, fired_at=at
    )


def waiting(alert: Alert, *, lane: str = "mail", number: int = 0, due: float = -1.0) -> Notification:
    at = clock.now()
    return Notification.objects.create(
        alert=alert, lane=lane, kind="firing", number=number, made_at=at, due_at=at + timedelta(seconds=due)
    )


def claim(*rows: Notification, holder: str = "a") -> str:
    return outbox.claim(Notification, [row.pk for row in rows], holder=holder)


def die(message: str) -> None:
    """Let the lease of a message end, as after a crash of its sender."""
    Notification.objects.filter(message=message).update(claimed_until=clock.now() - timedelta(seconds=5))


def test_lanes_are_those_with_something_due(alert: Alert) -> None:
    """What is due later, or done, starts nobody."""
    waiting(alert, lane="mail")
    waiting(alert, lane="chat", due=600)
    done = waiting(alert, lane="sms")
    Notification.objects.filter(pk=done.pk).update(state="sent")
    assert outbox.lanes(Notification) == ["mail"]


def test_one_claims_it(alert: Alert) -> None:
    """The second finds nothing."""
    row = waiting(alert)
    message = claim(row, holder="a")
    assert len(message) == 32
    assert claim(row, holder="b") == ""
    assert outbox.claimed(Notification, message, holder="b") == []
    assert [one.pk for one in outbox.claimed(Notification, message, holder="a")] == [row.pk]


def test_what_is_claimed_together_is_sent_together(alert: Alert) -> None:
    """All rows have one id and are marked at once."""
    rows = [waiting(alert, number=number) for number in range(3)]
    message = claim(*rows)
    assert outbox.sent(Notification, message, holder="a", subject="three") == 3
    assert set(Notification.objects.values_list("state", "subject", "tries")) == {("sent", "three", 1)}
    assert not outbox.lanes(Notification)


def test_while_the_lease_lasts_nobody_else_sends(alert: Alert) -> None:
    """Not even the same message."""
    claim(waiting(alert))
    assert outbox.claim_again(Notification, "mail", holder="b") == ""


def test_after_a_crash_the_same_message_is_sent_again(alert: Alert) -> None:
    """Its id is the same, so that a receiver knows it, and it is of the same rows."""
    rows = [waiting(alert, number=number) for number in range(2)]
    message = claim(*rows, holder="dead")
    die(message)
    waiting(alert, number=2)
    assert outbox.claim_again(Notification, "mail", holder="b") == message
    assert {row.pk for row in outbox.claimed(Notification, message, holder="b")} == {row.pk for row in rows}
    assert outbox.sent(Notification, message, holder="dead") == 0, "its lease is over"
    assert outbox.sent(Notification, message, holder="b") == 2


def test_what_its_senders_die_of_is_given_up(alert: Alert) -> None:
    """And what waits behind it is sent."""
    row, other = waiting(alert), waiting(alert, number=1)
    die(claim(row))
    for _ in range(outbox.MOST_TRIES - 1):
        die(outbox.claim_again(Notification, "mail", holder="b"))
    after = claim(other)
    die(after)
    assert outbox.claim_again(Notification, "mail", holder="b") == after
    row.refresh_from_db()
    assert (row.state, row.tries) == ("failed", outbox.MOST_TRIES)
    assert "died" in row.error


def test_what_failed_waits_longer_each_time_and_is_given_up_at_last(alert: Alert) -> None:
    """A poison message blocks nothing, and does not go on for ever."""
    row = waiting(alert)
    message = claim(row)
    pauses = []
    for _ in range(outbox.MOST_TRIES):
        assert outbox.failed(Notification, message, holder="a", error="down") == 1
        row.refresh_from_db()
        if row.state == "failed":
            break
        assert row.error == "down"
        pauses.append(row.due_at - clock.now())
        assert outbox.claim_again(Notification, "mail", holder="a") == "", "it is not due yet"
        Notification.objects.filter(pk=row.pk).update(due_at=clock.now() - timedelta(seconds=1))
        assert outbox.claim_again(Notification, "mail", holder="a") == message
    assert row.state == "failed"
    assert row.tries == outbox.MOST_TRIES
    assert pauses == sorted(pauses)
    assert pauses[0] > timedelta(seconds=20)


def test_what_can_never_be_sent_is_given_up_at_once(alert: Alert) -> None:
    """A refused address is not tried eight times."""
    row = waiting(alert)
    outbox.failed(Notification, claim(row), holder="a", error="no such address", for_good=True)
    row.refresh_from_db()
    assert row.state == "failed"


def test_what_somebody_has_claimed_is_neither_put_off_nor_dropped(alert: Alert) -> None:
    """It may have left already."""
    free, taken = waiting(alert, number=0), waiting(alert, number=1)
    message = claim(taken)
    rows = Notification.objects.all()
    assert outbox.put_off(rows, by=timedelta(minutes=5), held="quiet") == 1
    assert outbox.drop(rows, held="over") == 1
    free.refresh_from_db()
    assert (free.state, free.held) == ("dropped", "over")
    assert outbox.sent(Notification, message, holder="a") == 1


def test_what_surely_never_left_is_as_if_it_had_never_been_claimed(alert: Alert) -> None:
    """It goes with whatever waits by then, however often that happens."""
    rows = [waiting(alert, number=number) for number in range(2)]
    for _ in range(outbox.MOST_TRIES + 2):
        message = claim(*rows)
        assert outbox.failed(Notification, message, holder="a", error="left alone", unsent=True) == 2
    assert set(Notification.objects.values_list("state", "message", "tries", "error", "holder")) == {
        ("waiting", "", 0, "left alone", "")
    }
    assert not outbox.lanes(Notification), "not at once"


def test_what_may_have_left_once_keeps_its_id(alert: Alert) -> None:
    """Whatever becomes of it later: a receiver must know it again."""
    died, late, full = (waiting(alert, number=number, lane=f"lane {number}") for number in range(3))
    messages = {row.pk: claim(row) for row in (died, late, full)}
    die(messages[died.pk])
    outbox.failed(Notification, messages[late.pk], holder="a", error="no answer in time")
    outbox.failed(Notification, messages[full.pk], holder="a", error="no answer; full", counted=False)
    for row in (died, late, full):
        for _ in range(outbox.MOST_TRIES):
            Notification.objects.filter(pk=row.pk).update(due_at=clock.now() - timedelta(seconds=1))
            assert outbox.claim_again(Notification, row.lane, holder="b") == messages[row.pk]
            outbox.failed(Notification, messages[row.pk], holder="b", error="left alone", unsent=True)
        row.refresh_from_db()
        assert (row.state, row.message, row.tries) == ("waiting", messages[row.pk], 1)


def test_what_is_claimed_in_parts_is_one_message(alert: Alert, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose lease ends at one moment, so that all of it is claimed again."""
    monkeypatch.setattr(outbox, "_MOST_AT_ONCE", 2)
    rows = [waiting(alert, number=number) for number in range(5)]
    message = claim(*rows)
    assert len(outbox.claimed(Notification, message, holder="a")) == 5
    assert Notification.objects.values("claimed_until").distinct().count() == 1
    die(message)
    assert outbox.claim_again(Notification, "mail", holder="b") == message
    assert outbox.sent(Notification, message, holder="b") == 5


def test_only_some_are_tried_again(alert: Alert) -> None:
    """What is critical, while there is no room for others."""
    die(claim(waiting(alert)))
    assert outbox.claim_again(Notification, "mail", holder="b", only=Q(alert__severity="critical")) == ""
    Alert.objects.update(severity="critical")
    assert outbox.claim_again(Notification, "mail", holder="b", only=Q(alert__severity="critical"))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("act", ["put off", "drop", "claim"])
def test_who_sends_waits_for_no_act_of_a_person(alert: Alert, act: str) -> None:
    """It holds rows of one alert after another: the two would wait for each other, and the act be lost."""
    held, free = waiting(alert, number=0), waiting(alert, number=1)
    rows = Notification.objects.filter(pk__in=[held.pk, free.pk])
    done: list[object] = []

    def send() -> None:
        try:
            if act == "put off":
                done.append(outbox.put_off(rows, by=timedelta(minutes=1), held="quiet"))
            elif act == "drop":
                done.append(outbox.drop(rows, skipping=True))
            else:
                done.append(len(outbox.claimed(Notification, claim(held, free), holder="a")))
        finally:
            connections.close_all()

    with transaction.atomic():
        assert outbox.drop(Notification.objects.filter(pk=held.pk), held="over") == 1
        sender = threading.Thread(target=send)
        sender.start()
        sender.join(10)
        ended = not sender.is_alive()
    sender.join()
    assert ended
    assert done == [1]
    held.refresh_from_db()
    assert (held.state, held.held) == ("dropped", "over")
