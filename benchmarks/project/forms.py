"""A form of usual size and its view: plain, served whatever goes wrong, and going wrong."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse

from django_qaprod import serve_form

View = Callable[[HttpRequest], HttpResponse]


class ApplicationForm(forms.Form):
    """What an applicant fills in."""

    name = forms.CharField(max_length=100)
    email = forms.EmailField()
    phone = forms.CharField(max_length=30)
    years = forms.IntegerField(min_value=0)
    letter = forms.CharField(widget=forms.Textarea)


SENT = {
    "name": "Ada Byron",
    "email": "ada@mail.example",
    "phone": "01632 960001",
    "years": "12",
    "letter": "I have wanted to work with children since I was one. " * 20,
}


def plain(request: HttpRequest) -> HttpResponse:
    """Answer."""
    return HttpResponse(b"ok")


def broken(request: HttpRequest) -> HttpResponse:
    """Fail as code does."""
    raise LookupError(f"no rule for {len(request.POST)} fields")


def outage(request: HttpRequest) -> HttpResponse:
    """Fail as a database does that has gone away."""
    raise OperationalError("server closed the connection unexpectedly")


serves = serve_form(ApplicationForm)
served: View = serves(plain)
kept: View = serves(broken)
spooled: View = serves(outage)
#: What a POST to a view that serves its form is, besides: one transaction.
in_transaction: View = transaction.atomic(plain)
