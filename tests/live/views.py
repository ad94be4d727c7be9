"""Views that record what a test looks for afterwards."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from django_qaprod import Journey, Step
from tests.project.shop.models import Order


class LiveOrders(Journey):
    submitted = Step()


def submit(request: HttpRequest, number: str) -> HttpResponse:
    """Store an order and its event in one transaction; the answer is the promise that both are there."""
    with transaction.atomic():
        order = Order.objects.create(number=number)
        LiveOrders.submitted.record(order)
    return HttpResponse(number)


def raise_word(request: HttpRequest, word: str) -> HttpResponse:
    """Fail with a message that differs, as real ones do."""
    raise LookupError(f"nothing is known of {word!r}")
