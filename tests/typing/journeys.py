"""Read by mypy alone: what it must accept about journeys and, by ignores that are not unused, what not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import assert_type

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from django_qaprod import Journey, Step
from tests.project.shop.models import Order


class Ordering(Journey):
    title = _("Ordering")
    started = Step()
    paid = Step(once=True, title=_("Paid"))
    variant = "form_type"
    properties = ("form_type",)


assert_type(Ordering.started, Step)
Ordering.strated.record(1)  # type: ignore[attr-defined]
Step(once=1)  # type: ignore[arg-type]
Step(True)  # type: ignore[call-arg]


def record(order: Order, at: datetime) -> None:
    assert_type(Ordering.started.record(order, form_type="short", strict=True, at=at), None)
    Ordering.started.record(order, strict="yes")  # type: ignore[arg-type]
    Ordering.started.record()  # type: ignore[call-arg]
    Ordering.bind(order)


async def arecord(order: Order) -> None:
    assert_type(await Ordering.paid.arecord(order), None)


@Ordering.paid.track(subject="pk")
def view(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse()


@Ordering.paid.track(subject=lambda result: result)
async def function(number: int) -> str:
    return str(number)


def signatures_are_kept(request: HttpRequest) -> None:
    assert_type(view(request, 1), HttpResponse)
    view(request, "1")  # type: ignore[arg-type]
    twin: Callable[[int], Awaitable[str]] = function
    twin(3)


Ordering.paid.track(view)  # type: ignore[call-arg]
Ordering.started.on_create(Order, properties=lambda order: {"form_type": order.number})
Ordering.started.on_create(Order, subject=lambda order: order.colour)  # type: ignore[attr-defined]
Ordering.paid.on_save("shop.Order", {"state": "paid"}, number="1")
