"""The page with the switches."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_POST

from . import faults, inbox
from .faults import FAULTS, NAMES, Fault

View = Callable[..., HttpResponse]


def for_staff(view: View) -> View:
    """Let staff in, and in the demo everybody."""
    guarded = staff_member_required(view)

    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        chosen = view if settings.CHAOS_OPEN else guarded
        return chosen(request, *args, **kwargs)

    return wrapper


# Without a transaction, and without reading the session: a locked database must not lock its own switch.
@transaction.non_atomic_requests
@require_GET
@for_staff
def panel(request: HttpRequest) -> HttpResponse:
    """Show the faults with their switches."""
    on = faults.switches().on()
    rows = [{"fault": fault, "on": fault.name in on, "where": _where(fault)} for fault in FAULTS]
    return render(request, "chaos/panel.html", {"rows": rows, "any": bool(on)})


@transaction.non_atomic_requests
@require_POST
@for_staff
def switch(request: HttpRequest, name: str) -> HttpResponse:
    """Switch a fault on or off."""
    if name not in NAMES:
        raise Http404(name)
    turn_on = request.POST.get("to") == "on"
    faults.switches().turn(name, on=turn_on)
    title = next(fault.title for fault in FAULTS if fault.name == name)
    messages.success(request, f"{title}: {'on' if turn_on else 'off'}.")
    return redirect("chaos:panel")


@transaction.non_atomic_requests
@require_POST
@for_staff
def clear(request: HttpRequest) -> HttpResponse:
    """Switch everything off."""
    faults.switches().clear()
    messages.success(request, "Everything works again.")
    return redirect("chaos:panel")


@transaction.non_atomic_requests
@require_GET
@for_staff
def told(request: HttpRequest) -> HttpResponse:
    """Show what is in the team's inbox."""
    return render(request, "chaos/told.html", {"mails": inbox.newest(), "address": settings.TEAM})


@transaction.non_atomic_requests
@require_GET
@for_staff
def told_as_html(request: HttpRequest, name: str) -> HttpResponse:
    """Show a message as a mail program does that shows HTML."""
    mail = inbox.read(name)
    if mail is None:
        raise Http404(name)
    response = HttpResponse(mail.html)
    # As in a mail program: nothing in it runs.
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return response


def _where(fault: Fault) -> list[dict[str, str]]:
    return [_link(*page) for page in fault.pages]


def _link(name: str, query: str, words: str) -> dict[str, str]:
    try:
        address = reverse(name)
    except NoReverseMatch:
        address = reverse("admin:index")
    return {"address": f"{address}?{query}" if query else address, "words": words}
