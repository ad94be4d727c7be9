"""A URLconf with the form of which the submissions of tests are."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path

from django_qaprod import serve_form
from tests.project.urls import urlpatterns as _urlpatterns


def _fail(value: str) -> None:
    raise LookupError("the register does not answer")


class Apply(forms.Form):
    name = forms.CharField(label="Your name", help_text="As in <b>your passport</b>.")
    region = forms.ChoiceField(choices=[("n", "North"), ("s", "South")])
    email = forms.EmailField(label="Your address", required=False)
    born = forms.DateField(required=False, widget=forms.DateInput({"type": "date"}))
    tags = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")], required=False)
    broken = forms.CharField(validators=[_fail], required=False)


@serve_form(Apply)
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    raise NotImplementedError


urlpatterns = [path("apply/<int:pk>/", apply), *_urlpatterns]
