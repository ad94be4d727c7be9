"""What the buttons of a page do, by POST: those of a failure's page, and those of an alert's."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from .careful import AdminBase

if TYPE_CHECKING:
    from . import acts, alert_acts


def acted(
    page: AdminBase,
    request: HttpRequest,
    pk: int,
    *,
    known: Container[str],
    form: type[Form],
    act: Callable[..., acts.Act | alert_acts.Act],
    back: str,
) -> HttpResponse:
    """Do to a row what its page's form asks for, and lead ``back``; by POST alone.

    ``known`` has the names of the acts. Raises ``PermissionDenied`` for who may not do it: they are told
    that, and nothing of what else is wrong.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    do = request.POST.get("do", "")
    if do in known and not act(do=do).allowed(request):
        raise PermissionDenied
    filled = form(request.POST)
    if filled.is_valid():
        said, changed = act(**filled.cleaned_data).perform([pk], who=request.user.get_username())
        page.message_user(request, said, messages.SUCCESS if changed else messages.WARNING)
    else:
        for error in (error for errors in filled.errors.values() for error in errors):
            page.message_user(request, str(error), messages.ERROR)
    return HttpResponseRedirect(back)
