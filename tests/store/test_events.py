from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from django_qaprod.models import Event, EventKey
from django_qaprod.records import EventRecord, new_id
from django_qaprod.store import events

pytestmark = pytest.mark.django_db(databases="__all__")

AT = datetime(2026, 3, 20, 12, 0, 0, 250_000, tzinfo=UTC)


def record(subject: str = "1", *, once: bool = False) -> EventRecord:
    return EventRecord(
        id=new_id(),
        at=AT.timestamp(),
        journey="application",
        step="submitted",
        subject=subject,
        variant="long",
        browser="Edge",
        request_id="r",
        release="v1",
        once=once,
        properties={"form_type": "long", "é": [1, None, {"a": 0.5}]},
    )


def test_what_is_saved_is_what_was_recorded() -> None:
    made = record()
    assert events.save(made)
    event = Event.objects.get()
    assert (event.id.hex, event.at, event.journey, event.step) == (made.id, AT, "application", "submitted")
    assert (event.subject, event.variant, event.browser, event.request_id) == ("1", "long", "Edge", "r")
    assert (event.release, event.properties) == ("v1", made.properties)
    assert Event.objects.filter(properties__form_type="long", at=AT, pk=event.pk).exists()


def test_the_same_event_twice_is_refused_and_leaves_the_transaction_alone() -> None:
    made = record()
    events.save(made)
    with pytest.raises(IntegrityError), transaction.atomic():
        events.save(made)
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            events.save(made)
        assert Event.objects.count() == 1


def test_once_is_decided_by_the_key() -> None:
    assert events.save(record(once=True))
    assert not events.save(record(once=True))
    assert events.save(record("2", once=True))
    assert (Event.objects.count(), EventKey.objects.count()) == (2, 2)


def test_a_refused_event_takes_its_key_along() -> None:
    made = record()
    events.save(made)
    again = EventRecord(**{**{name: getattr(made, name) for name in made.__slots__}, "once": True})
    with pytest.raises(IntegrityError):
        events.save(again)
    assert not EventKey.objects.exists()


def test_a_spool_that_is_read_twice_stores_once() -> None:
    records = [record(), record("2", once=True), record("2", once=True), record("3")]
    for _ in range(2):
        events.save_spooled(records)
    assert sorted(Event.objects.values_list("subject", flat=True)) == ["1", "2", "3"]


def test_a_spooled_event_is_not_there_twice_though_it_was_refused_for_doubt_only() -> None:
    made = record(once=True)
    events.save(made)
    events.save_spooled([made])
    assert Event.objects.count() == 1
