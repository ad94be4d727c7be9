"""What type checkers make of ``serve_form``; read by mypy, run by nobody."""

from __future__ import annotations

from typing import Any, assert_type

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.generic import FormView

from django_qaprod import ServeFormMixin, serve_form


class ApplicationForm(forms.Form):
    name = forms.CharField()


@serve_form(ApplicationForm, template="jobs/apply.html", private=["name"], replay="after_deploy")
def view(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(pk)


@serve_form({"form": ApplicationForm}, initial=lambda request, pk: {"name": pk})
async def aview(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(pk)


class Apply(ServeFormMixin, FormView[ApplicationForm]):
    form_class = ApplicationForm
    serve = {"journey": "job_application"}


async def use(request: HttpRequest, unknown: Any) -> None:
    assert_type(view(request, 1), HttpResponse)
    assert_type(await aview(request, 1), HttpResponse)
    view(request, "1")  # type: ignore[arg-type]
    serve_form(ApplicationForm, replay="now")  # type: ignore[arg-type]
    serve_form(ApplicationForm, fallback=1)  # type: ignore[call-arg]
    serve_form(view)  # type: ignore[arg-type]
