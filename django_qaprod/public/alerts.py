"""The page behind the link in a message: who was told says that somebody is on it, and whether it was useful.

It shows no more than the message did. To look changes nothing: programs that scan mail follow every link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from ..alerts import tokens
from .responses import page as rendered
from .responses import without_login

if TYPE_CHECKING:
    from ..alerts.tokens import Ticket

_ACTS = frozenset({"acknowledge", "useful", "useless"})


@without_login("GET", "HEAD", "POST")
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Show the alerts of a message, by GET; acknowledge them or say whether they were useful, by POST."""
    ticket = tokens.read(token)
    if ticket is None:
        return rendered("no_link.html", {"days": tokens.GOOD_FOR.days}, status=404)
    try:
        return _acted(request, ticket) if request.method == "POST" else _shown(ticket)
    except Error:
        return rendered("out_of_reach.html", {}, status=503)


def _shown(ticket: Ticket) -> HttpResponse:
    # Imported when somebody looks, not at every start of the host.
    from . import shown

    alerts = shown.alerts(ticket)
    if not alerts:
        return rendered("gone.html", {}, status=410)
    return rendered("alerts.html", {"page": shown.page(alerts)})


def _acted(request: HttpRequest, ticket: Ticket) -> HttpResponse:
    from ..store import alerts
    from . import shown

    who = f"link ({ticket.channel})"
    act = request.POST.get("act")
    if act in _ACTS:
        ids = [alert.pk for alert in shown.alerts(ticket)]
        if act == "acknowledge":
            alerts.acknowledge(ids, who=who)
        else:
            alerts.say_useful(ids, act == "useful", who=who)
    # Back to itself: what is loaded anew must not act anew. Relative, whatever a proxy made of the path.
    return HttpResponseRedirect("./", status=303)
