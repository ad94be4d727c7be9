"""A URLconf with the form of which the submissions of tests are."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path

from django_qaprod import serve_form
from tests.project.urls import urlpatterns as _urlpatterns


class Apply(forms.Form):
    name = forms.CharField(label="Your name", help_text="As in <b>your passport</b>.")
    region = forms.ChoiceField(choices=[("n", "North"), ("s", "South")])


@serve_form(Apply)
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    raise NotImplementedError


urlpatterns = [path("apply/<int:pk>/", apply), *_urlpatterns]
