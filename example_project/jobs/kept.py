"""Where an applicant goes on whose page of the form is kept because something is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from .forms import PAGES, Page
from .models import Application

if TYPE_CHECKING:
    from django_qaprod.forms.rescue import Kept


def lead_on(request: HttpRequest, kept: Kept) -> HttpResponse:
    """Say that a page is kept, and lead to the next one. What fails here has our plain page served instead.

    Something is broken already, so as little as possible is asked: no session, no user, no context processor.
    """
    match = request.resolver_match
    assert match is not None
    token, slug = match.kwargs["token"], match.kwargs["page"]
    pages = _pages(token, slug)
    at = [page.slug for page in pages].index(slug)
    following = pages[at + 1] if at + 1 < len(pages) else None
    address = (
        reverse("jobs:form", args=(token, following.slug))
        if following
        else reverse("jobs:review", args=(token,))
    )
    known = {"reference": kept.reference, "page": pages[at], "following": following, "address": address}
    return HttpResponse(render_to_string("jobs/kept.html", known), status=202)


def _pages(token: str, slug: str) -> tuple[Page, ...]:
    """Return the pages of an application's form, by the database only if the page is one of several forms."""
    found = [pages for pages in PAGES.values() if slug in {page.slug for page in pages}]
    if len(found) == 1:
        return found[0]
    form_type = Application.objects.values_list("form_type", flat=True).get(token=token)
    return PAGES[form_type]
