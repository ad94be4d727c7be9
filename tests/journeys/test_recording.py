from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory

from django_qaprod import Journey, Step, context
from django_qaprod.conf import events_alias, telemetry_alias
from django_qaprod.exceptions import PropertyError, SubjectKeyError
from django_qaprod.models import Event, EventKey
from django_qaprod.pipeline import guard
from django_qaprod.pipeline.drainer import Drainer
from django_qaprod.records import EventRecord, Record
from tests.project.shop.models import Order

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture
def application() -> Any:
    class JobApplication(Journey):
        started = Step()
        submitted = Step(once=True)
        variant = "form_type"
        properties = ("form_type", "attachments", "note")

    return JobApplication


@pytest.fixture
def refusing() -> Iterator[None]:
    """A database that takes no events."""
    table = connection.ops.quote_name(Event._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO refused")
    try:
        yield
    finally:
        restore(table)


def restore(table: str = "qaprod_event") -> None:
    if "refused" in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE refused RENAME TO {table}")


def test_an_event_keeps_what_is_known_about_it(application: Any, spool: Drainer, settings: Any) -> None:
    settings.QAPROD = {"RELEASE": "v1"}
    request = RequestFactory().get(
        "/", HTTP_USER_AGENT="Mozilla/5.0 Firefox/140.0", HTTP_X_REQUEST_ID="abcdefgh-1"
    )
    token = context.enter(context.Context(request))
    try:
        application.started.record(7, form_type="short", attachments=[1, {"a": "b"}])
    finally:
        context.leave(token)
    event = Event.objects.get()
    assert (event.journey, event.step, event.subject) == ("job_application", "started", "7")
    assert (event.variant, event.browser, event.request_id, event.release) == (
        "short",
        "Firefox",
        "abcdefgh-1",
        "v1",
    )
    assert event.properties == {"form_type": "short", "attachments": [1, {"a": "b"}]}
    assert abs((event.at - datetime.now(UTC)).total_seconds()) < 5
    assert event.id.version == 7


def test_an_event_commits_with_the_work(application: Any, spool: Drainer) -> None:
    with transaction.atomic():
        order = Order.objects.create()
        application.submitted.record(order)
    assert Event.objects.get().subject == str(order.pk)


def test_an_event_is_rolled_back_with_the_work(application: Any, spool: Drainer) -> None:
    @transaction.atomic
    def work() -> None:
        application.submitted.record(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    spool.drain()
    assert not Event.objects.exists()
    assert not EventKey.objects.exists()


@pytest.mark.usefixtures("production", "refusing")
def test_a_refused_event_leaves_the_work_alone_and_arrives_later(application: Any, spool: Drainer) -> None:
    with transaction.atomic():
        Order.objects.create(number="kept")
        application.submitted.record(1, form_type="long")
        assert Order.objects.count() == 1  # The transaction can still be used.
    assert Order.objects.filter(number="kept").exists()
    restore()
    spool.drain()
    spool.drain()
    assert [(event.step, event.variant) for event in Event.objects.all()] == [("submitted", "long")]


@pytest.mark.usefixtures("production", "refusing")
def test_a_refused_event_goes_with_a_transaction_that_is_rolled_back(
    application: Any, spool: Drainer
) -> None:
    with transaction.atomic():
        application.submitted.record(1)
        transaction.set_rollback(True)
    restore()
    spool.drain()
    assert not Event.objects.exists()


@pytest.mark.usefixtures("production", "refusing")
def test_a_refused_event_outside_a_transaction_is_spooled(application: Any, spool: Drainer) -> None:
    application.started.record(1)
    restore()
    spool.drain()
    assert Event.objects.count() == 1


@pytest.mark.usefixtures("production", "refusing")
def test_strict_raises_what_the_database_says(application: Any, spool: Drainer) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        application.started.record(1, strict=True)
    with pytest.raises(DatabaseError):
        application.started.record(1, strict=True)
    restore()
    spool.drain()
    assert not Event.objects.exists()


def test_an_event_in_a_broken_transaction_goes_with_it(application: Any, spool: Drainer) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        application.started.record(1)
    spool.drain()
    assert not Event.objects.exists()


@pytest.fixture
def without_autocommit() -> Iterator[None]:
    transaction.set_autocommit(False)
    try:
        yield
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


@pytest.mark.usefixtures("without_autocommit")
@pytest.mark.parametrize("step", ["started", "submitted"])
def test_an_event_goes_with_a_transaction_that_the_host_manages(
    application: Any, spool: Drainer, step: str
) -> None:
    getattr(application, step).record(1)
    Order.objects.create(number="taken back")
    transaction.rollback()
    assert not Event.objects.exists()
    getattr(application, step).record(1)
    transaction.commit()
    transaction.rollback()
    assert Event.objects.get().step == step


@pytest.mark.usefixtures("production", "refusing", "without_autocommit")
def test_a_refused_event_leaves_a_transaction_alone_that_the_host_manages(
    application: Any, spool: Drainer
) -> None:
    Order.objects.create(number="kept")
    application.started.record(1)
    assert Order.objects.count() == 1  # The transaction can still be used.
    transaction.commit()
    transaction.set_autocommit(True)
    assert Order.objects.count() == 1
    restore()
    spool.drain()
    assert Event.objects.count() == 1


@pytest.mark.skipif(telemetry_alias() == events_alias(), reason="needs a second database, as on SQLite")
def test_the_subjects_own_transaction_decides_on_another_database(application: Any, spool: Drainer) -> None:
    order = Order(pk=5)
    order._state.db = "qaprod"
    with transaction.atomic(using="qaprod"):
        application.started.record(order)
        assert not Event.objects.exists()
    assert Event.objects.get().subject == "5"
    with transaction.atomic(using="qaprod"):
        application.started.record(order)
        transaction.set_rollback(True, using="qaprod")
    assert Event.objects.count() == 1


def test_a_step_declared_once_counts_a_subject_once(application: Any, spool: Drainer) -> None:
    with transaction.atomic():
        application.submitted.record(1)
        application.submitted.record(1)
    application.submitted.record(1)
    application.submitted.record(2)
    application.started.record(1)
    application.started.record(1)
    assert sorted(Event.objects.values_list("step", "subject")) == [
        ("started", "1"),
        ("started", "1"),
        ("submitted", "1"),
        ("submitted", "2"),
    ]


def test_at_is_for_what_happened_earlier(application: Any, spool: Drainer) -> None:
    application.started.record(1, at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    application.started.record(1, at=datetime(2026, 7, 2, 12))  # noqa: DTZ001 - in the project's time zone
    assert list(Event.objects.order_by("at").values_list("at", flat=True)) == [
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2026, 7, 2, 10, tzinfo=UTC),
    ]


@pytest.mark.usefixtures("thread_of_queries")
async def test_a_coroutine_records_by_the_async_twin(application: Any, spool: Drainer) -> None:
    await application.submitted.arecord(3, form_type="short")
    await application.submitted.arecord(3, form_type="short")
    assert await Event.objects.acount() == 1


def test_the_async_twin_is_in_the_transaction_of_the_thread_that_queries(
    application: Any, spool: Drainer
) -> None:
    with transaction.atomic():
        async_to_sync(application.submitted.arecord)(1)
        assert Event.objects.count() == 1
        transaction.set_rollback(True)
    assert Event.objects.count() == 0


async def test_record_in_a_coroutine_is_refused_clearly_in_development(
    application: Any, spool: Drainer
) -> None:
    with pytest.raises(Exception, match="async context"):
        application.started.record(1)


@pytest.mark.usefixtures("production", "thread_of_queries")
async def test_record_in_a_coroutine_is_spooled_in_production(application: Any, spool: Drainer) -> None:
    application.started.record(1)
    await sync_to_async(spool.drain)()
    assert await Event.objects.acount() == 1


def test_hostile_text_is_stored(application: Any, spool: Drainer) -> None:
    application.started.record(
        "a\x00b", form_type="\ud800\x00" + "x" * 500, note="é\x00", attachments=[float(10), "\udfff"]
    )
    event = Event.objects.get()
    assert "\x00" not in event.subject + event.variant + str(event.properties)
    assert len(event.variant) == 100


def test_secrets_are_scrubbed(application: Any, spool: Drainer) -> None:
    application.started.record(1, note={"password": "hunter2"}, form_type="a@example.com")
    event = Event.objects.get()
    assert "hunter2" not in str(event.properties)
    assert "example.com" not in event.variant + str(event.properties)


@pytest.mark.parametrize("subject", [None, "", "x" * 201, True, 1.5, object(), Order(), ["a"]])
def test_a_subject_without_a_key_is_refused_in_development(
    application: Any, spool: Drainer, subject: object
) -> None:
    with pytest.raises(SubjectKeyError):
        application.started.record(subject)


@pytest.mark.usefixtures("production")
def test_a_subject_without_a_key_is_counted_in_production(application: Any, spool: Drainer) -> None:
    application.started.record(None)
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"journeys.subject": 1}
    assert not Event.objects.exists()


@pytest.mark.usefixtures("production")
def test_strict_refuses_in_production_too(application: Any, spool: Drainer) -> None:
    with pytest.raises(SubjectKeyError):
        application.started.record(None, strict=True)
    with pytest.raises(PropertyError):
        application.started.record(1, strict=True, colour="red")


def test_uuids_and_instances_are_keys(application: Any, spool: Drainer) -> None:
    key = uuid.uuid4()
    application.started.record(key)
    application.started.record(Order.objects.create(pk=12))
    assert sorted(Event.objects.values_list("subject", flat=True)) == sorted([str(key), "12"])


@pytest.mark.parametrize(
    ("properties", "name"),
    [({"colour": "red"}, "colour"), ({"note": object()}, "note"), ({"note": float("nan")}, "note")],
)
def test_a_wrong_property_is_refused_in_development(
    application: Any, spool: Drainer, properties: dict[str, object], name: str
) -> None:
    with pytest.raises(PropertyError) as caught:
        application.started.record(1, **properties)
    assert caught.value.name == name
    assert not Event.objects.exists()


@pytest.mark.usefixtures("production")
def test_a_wrong_property_is_dropped_and_counted_in_production(application: Any, spool: Drainer) -> None:
    application.started.record(1, colour="red", note=object(), form_type="short")
    assert Event.objects.get().properties == {"note": "<object>", "form_type": "short"}
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"journeys.property": 1}


@pytest.mark.usefixtures("production")
def test_overlong_properties_are_dropped_and_counted(application: Any, spool: Drainer) -> None:
    application.started.record(1, note=["x" * 900] * 50)
    assert Event.objects.get().properties == {}
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"journeys.property": 1}


def test_a_hosts_test_run_stores_nothing(application: Any) -> None:
    application.started.record(1)
    assert not Event.objects.exists()


def test_captured_records_go_nowhere_else(application: Any, tap: list[Record]) -> None:
    application.started.record(1, form_type="short")
    (event,) = tap
    assert isinstance(event, EventRecord)
    assert (event.step, event.variant) == ("started", "short")
    assert not Event.objects.exists()


def test_a_step_binds_the_request_to_its_subject(application: Any, tap: list[Record]) -> None:
    token = context.enter(current := context.Context(RequestFactory().get("/")))
    try:
        application.started.record(1)
        assert (current.journey, current.subject) == ("job_application", "1")
        application.bind(2)
        assert current.subject == "2"
        application.started.record(3)
        assert current.subject == "2"
    finally:
        context.leave(token)


def test_bind_outside_a_request_does_nothing(application: Any) -> None:
    application.bind(1)
    with pytest.raises(SubjectKeyError):
        application.bind(None)


@pytest.mark.usefixtures("production")
def test_bind_leaves_the_request_alone_in_production(application: Any) -> None:
    application.bind(None)


def test_an_event_costs_a_savepoint_and_an_insert(
    application: Any, spool: Drainer, django_assert_num_queries: Any
) -> None:
    with transaction.atomic(), django_assert_num_queries(3):
        application.started.record(1)
    with transaction.atomic(), django_assert_num_queries(4):
        application.submitted.record(1)
    with django_assert_num_queries(1):
        application.started.record(1)
