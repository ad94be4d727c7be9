"""What the buttons of a page do, by POST: those of a failure's page, and those of an alert's."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, Protocol

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from .careful import AdminBase


class Act(Protocol):
    """An act with its particulars."""

    def allowed(self, request: HttpRequest) -> bool:
        """Whether the user may do this."""

    def perform(self, ids: Iterable[int], *, who: str) -> tuple[str, bool]:
        """Do it; return a message that says what happened, and whether anything did."""


class Acts(Protocol):
    """A module of acts: ``acts`` has those of failures, ``alert_acts`` those of alerts."""

    @property
    def PERMISSION(self) -> Container[str]:  # noqa: N802  (a module's)
        """The names of the acts."""

    def ActForm(self, data: Mapping[str, Any], /) -> Form:  # noqa: N802
        """Return the form of the page's buttons: ``do`` and the particulars of ``Act``."""

    def Act(self, *, do: str) -> Act:  # noqa: N802
        """Return an act."""


def acted(page: AdminBase, request: HttpRequest, pk: int, acts: Acts, *, back: str) -> HttpResponse:
    """Do to a row what its page's form asks for, and lead ``back``; by POST alone.

    Raises ``PermissionDenied`` for who may not do it. They are told that, and nothing of what else is wrong.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    do = request.POST.get("do", "")
    if do in acts.PERMISSION and not acts.Act(do=do).allowed(request):
        raise PermissionDenied
    form = acts.ActForm(request.POST)
    if form.is_valid():
        said, changed = acts.Act(**form.cleaned_data).perform([pk], who=request.user.get_username())
        page.message_user(request, said, messages.SUCCESS if changed else messages.WARNING)
    else:
        for error in (error for errors in form.errors.values() for error in errors):
            page.message_user(request, str(error), messages.ERROR)
    return HttpResponseRedirect(back)
