"""Views that record what a test looks for afterwards."""

from __future__ import annotations

from pathlib import Path

from django import forms
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from django_qaprod import Journey, Step, serve_form
from tests.project.shop.models import Order


class LiveOrders(Journey):
    submitted = Step()


def submit(request: HttpRequest, number: str) -> HttpResponse:
    """Store an order and its event in one transaction; the answer is the promise that both are there."""
    with transaction.atomic():
        order = Order.objects.create(number=number)
        LiveOrders.submitted.record(order)
    return HttpResponse(number)


class OrderForm(forms.Form):
    number = forms.CharField()


@serve_form(OrderForm, journey=LiveOrders)
def order(request: HttpRequest) -> HttpResponse:
    """Store an order; for a "broken" one fail behind the write, as long as there is that file."""
    if request.method != "POST":
        return HttpResponse(f"{Order.objects.count()} orders so far")
    placed = Order.objects.create(number=request.POST["number"])
    LiveOrders.submitted.record(placed)
    if placed.number.startswith("broken") and Path(settings.LIVE_FAULT).exists():
        raise LookupError("no such warehouse")
    return redirect("/ok/")


def raise_word(request: HttpRequest, word: str) -> HttpResponse:
    """Fail with a message that differs, as real ones do."""
    raise LookupError(f"nothing is known of {word!r}")
