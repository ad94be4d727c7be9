"""A host whose application form is guarded: URLs, views and a policy for a real server.

A file in ``settings.FAULTS`` makes something happen, by its name: ``hang``, ``raise``, ``lookup``, ``login``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib.staticfiles.views import serve
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template import RequestContext, Template
from django.urls import path
from django.views.decorators.cache import never_cache

from django_qaprod import serve_form
from tests.project.shop.models import Order

POLICY = "default-src 'self'"

PAGE = """{% load qaprod_forms %}<!doctype html><html lang="en"><head><title>Apply</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>
<body><h1>Apply</h1><form method="get"><input name="search" aria-label="Search"></form>
{% if form %}<form method="post"{% if action %} action="{{ action }}"{% endif %}>
{% csrf_token %}{{ form.as_p }}
<label>Shoe size <input name="shoes" data-qaprod-off></label>
<button>Send</button> <button type="reset">Start again</button></form>{% endif %}
{% qaprod_form_guard owner=owner %}</body></html>"""


class ApplyForm(forms.Form):
    name = forms.CharField(required=False)
    letter = forms.CharField(widget=forms.Textarea, required=False)
    email = forms.CharField(required=False)
    region = forms.ChoiceField(choices=[("n", "North"), ("s", "South")], required=False)
    days = forms.MultipleChoiceField(
        choices=[("mo", "Monday"), ("tu", "Tuesday"), ("we", "Wednesday")],
        widget=forms.CheckboxSelectMultiple,
        initial=["mo"],
        required=False,
    )
    contact = forms.ChoiceField(
        choices=[("mail", "By mail"), ("phone", "By phone")], widget=forms.RadioSelect, required=False
    )
    start = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), required=False)
    agree = forms.BooleanField(required=False)
    keyword = forms.CharField(widget=forms.PasswordInput, required=False)
    secret_word = forms.CharField(required=False)
    account = forms.CharField(
        widget=forms.TextInput(attrs={"autocomplete": "section-a cc-number"}), required=False
    )
    code = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}), required=False)
    game = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off"}), required=False)
    photo = forms.FileField(required=False)
    step = forms.CharField(widget=forms.HiddenInput, initial="one", required=False)

    def clean_email(self) -> str:
        if "wrong" in self.cleaned_data["email"]:
            raise forms.ValidationError("This is no address.")
        return str(self.cleaned_data["email"]).strip()


@serve_form(ApplyForm, excluding=LookupError)
def apply(request: HttpRequest) -> HttpResponse:
    form = ApplyForm(request.POST or None, initial={"email": request.GET.get("email", "")})
    if request.method == "POST":
        if found := fault("hang"):
            found.rename(found.with_name("hanging"))
            time.sleep(60)
        if fault("lookup"):
            raise LookupError("an error page")
        if fault("login"):
            return HttpResponseRedirect(f"{settings.LOGIN_URL}?next={request.path}")
        if form.is_valid():
            Order.objects.create(number=form.cleaned_data["name"])
            if fault("raise"):
                raise ValueError("after the write")
            return HttpResponseRedirect("/thanks/")
    return page(request, form=form, owner=request.GET.get("owner", ""))


def begin(request: HttpRequest) -> HttpResponse:
    """Show the form at another address than the one that it is sent to."""
    return page(request, form=ApplyForm(), action="/apply/")


def fault(name: str) -> Path | None:
    found = Path(settings.FAULTS) / name
    return found if found.exists() else None


def page(request: HttpRequest, **values: object) -> HttpResponse:
    return HttpResponse(Template(PAGE).render(RequestContext(request, values)))


def thanks(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<!doctype html><title>Thanks</title><h1>Thank you</h1>")


def with_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Allow nothing inline, on whatever page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return middleware


urlpatterns = [
    path("apply/", apply),
    path("begin/", begin),
    path("begin/uncached/", never_cache(begin)),
    path("guarded/", page),
    path("thanks/", thanks),
    path("static/<path:path>", serve, {"insecure": True}),
]
