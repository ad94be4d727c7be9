from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from django_qaprod import Journey, Step
from django_qaprod.exceptions import DeclarationError
from django_qaprod.models import Event
from django_qaprod.pipeline.drainer import Drainer
from django_qaprod.testing import Records
from tests.project.shop.models import Order
from tests.recorded import records as records

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("spool")]


@pytest.fixture
def ordering() -> Any:
    class Ordering(Journey):
        started = Step()
        paid = Step()
        properties = ("number",)

    return Ordering


def steps() -> list[tuple[str, str]]:
    return list(Event.objects.order_by("id").values_list("step", "subject"))


def test_a_created_instance_takes_a_step(ordering: Any) -> None:
    ordering.started.on_create(Order, properties=lambda order: {"number": order.number})
    order = Order.objects.create(number="A1")
    order.save()
    assert steps() == [("started", str(order.pk))]
    assert Event.objects.get().properties == {"number": "A1"}


def test_connecting_twice_records_once(ordering: Any) -> None:
    for _ in range(2):
        ordering.started.on_create(Order)
        ordering.paid.on_save("shop.Order", state="paid")
    order = Order.objects.create(state="paid")
    assert sorted(steps()) == [("paid", str(order.pk)), ("started", str(order.pk))]


def test_created_with_the_value(ordering: Any) -> None:
    ordering.paid.on_save(Order, state="paid")
    Order.objects.create(state="open")
    order = Order.objects.create(state="paid")
    assert steps() == [("paid", str(order.pk))]


def test_changed_to_the_value(ordering: Any) -> None:
    ordering.paid.on_save(Order, state="paid")
    order = Order.objects.create(state="open")
    order.state = "paid"
    order.save()
    order.save()
    again = Order.objects.get()
    again.number = "A2"
    again.save()
    assert steps() == [("paid", str(order.pk))]


def test_a_second_change_to_it_is_not_a_second_step(ordering: Any) -> None:
    ordering.paid.on_save(Order, state="paid")
    for state in ("paid", "open", "paid"):
        order, _ = Order.objects.get_or_create(pk=1)
        order.state = state
        order.save()
    assert steps() == [("paid", "1")]


def test_what_had_the_value_before_is_not_counted_when_it_is_edited(ordering: Any) -> None:
    Order.objects.create(state="paid")
    ordering.paid.on_save(Order, state="paid")
    old = Order.objects.get()
    old.number = "edited"
    old.save()
    assert steps() == []


def test_a_rolled_back_change_counts_when_it_is_saved_again(ordering: Any) -> None:
    ordering.paid.on_save(Order, state="paid")
    order = Order.objects.create(state="open")
    order.state = "paid"
    with transaction.atomic():
        order.save()
        transaction.set_rollback(True)
    assert steps() == []
    order.save()
    assert steps() == [("paid", str(order.pk))]


def test_a_deferred_field_is_not_fetched(ordering: Any, django_assert_num_queries: Any) -> None:
    Order.objects.create(state="open")
    ordering.paid.on_save(Order, state="paid")
    with django_assert_num_queries(1):
        order = Order.objects.only("number").get()
    with django_assert_num_queries(1):
        order.save(update_fields=["number"])
    order.state = "paid"
    order.save()
    assert steps() == [("paid", str(order.pk))]


def test_a_save_that_does_not_write_the_field_does_not_count(ordering: Any) -> None:
    ordering.paid.on_save(Order, state="paid")
    order = Order.objects.create(state="open")
    order.state = "paid"
    order.save(update_fields=["number"])
    assert steps() == []
    order.save(update_fields=["state"])
    assert steps() == [("paid", str(order.pk))]


def test_an_expression_is_not_the_value(ordering: Any) -> None:
    ordering.paid.on_save(Order, state="paid")
    order = Order.objects.create(state="open")
    order.state = F("number")
    order.save()
    assert steps() == []


def test_update_and_bulk_create_send_no_signal(ordering: Any) -> None:
    ordering.started.on_create(Order)
    ordering.paid.on_save(Order, state="paid")
    Order.objects.bulk_create([Order(state="paid")])
    Order.objects.update(state="paid")
    assert steps() == []


def test_fixtures_are_not_steps(ordering: Any) -> None:
    ordering.started.on_create(Order)
    ordering.paid.on_save(Order, state="paid")
    Order(pk=3, state="paid").save_base(raw=True)
    assert steps() == []


def test_the_subject_may_be_another_or_nobody(ordering: Any) -> None:
    ordering.started.on_create(Order, subject=lambda order: order.number or None)
    Order.objects.create(number="A1")
    Order.objects.create()
    assert steps() == [("started", "A1")]


def test_what_the_host_s_functions_log_is_captured(ordering: Any, production: None, records: Records) -> None:
    def number(order: Order) -> str:
        logging.getLogger("shop").error("no number yet")
        return "A1"

    ordering.started.on_create(Order, subject=number, properties=lambda order: {"number": number(order)})
    Order.objects.create()
    assert [one.message for one in records.failures] == ["no number yet"] * 2
    assert [one.subject for one in records.events] == ["A1"]


def test_values_may_come_in_a_dict(ordering: Any) -> None:
    ordering.paid.on_save(Order, {"state": "paid"}, number="A1")
    Order.objects.create(state="paid")
    order = Order.objects.create(state="paid", number="A1")
    assert steps() == [("paid", str(order.pk))]


def test_a_save_that_cannot_be_recorded_succeeds_in_production(ordering: Any, production: None) -> None:
    ordering.started.on_create(Order, subject=lambda order: 1 / 0)
    assert Order.objects.create().pk
    assert steps() == []


def test_wrong_models_and_fields_are_refused_at_once(ordering: Any, spool: Drainer) -> None:
    for wrong, message in (
        (lambda: ordering.paid.on_save(Order, stat="paid"), "no column 'stat'. It has: id, number, state"),
        (lambda: ordering.paid.on_save(Order), "needs the value to wait for"),
        (lambda: ordering.paid.on_create("shop.Oder"), "There is no model 'shop.Oder'"),
        (lambda: ordering.paid.on_create("Order"), "There is no model 'Order'"),
        (lambda: ordering.paid.on_create(object), "is not a model"),
    ):
        with pytest.raises(DeclarationError, match=message):
            wrong()
