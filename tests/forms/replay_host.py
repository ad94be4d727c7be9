"""A host whose forms fail as long as a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import translation
from django.views.decorators.csrf import csrf_protect

from django_qaprod import serve_form
from django_qaprod.forms.confirmed import confirm
from tests.project.shop.models import Order

#: What the view and the middleware do: by place, an exception to raise or something to call.
behave: dict[str, Any] = {}
#: The requests that have come to a view.
seen: list[Any] = []


def at(place: str, request: HttpRequest) -> Any:
    found = behave.get(place)
    if isinstance(found, Exception):
        raise found
    return found(request) if callable(found) else found


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def inner(request: HttpRequest) -> HttpResponse:
        if behave.get("early"):
            request.early_user = request.user.username
        answer = at("short", request)
        if answer is not None:
            return answer
        language = translation.get_language_from_request(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            return get_response(request)

    return inner


def impersonate(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A superuser looks at the site as somebody else."""

    def inner(request: Any) -> HttpResponse:
        chosen = request.session.get("as") if request.user.is_superuser else None
        if chosen:
            request.user = User.objects.get(pk=chosen)
        return get_response(request)

    return inner


class Quota:
    """Middleware that looks at who it is, and at the session, before the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: Any, *args: Any) -> None:
        request.quota = request.user.username
        request.session["seen"] = True


class OrderForm(forms.Form):
    number = forms.CharField(max_length=20)


class UploadForm(forms.Form):
    title = forms.CharField()
    letter = forms.FileField()


def _order(request: HttpRequest) -> HttpResponse:
    at("before", request)
    seen.append(request)
    form = OrderForm(request.POST)
    if form.is_valid() or behave.get("save"):
        Order.objects.create(number=request.POST["number"])
        request.session["made"] = "yes"
    at("after", request)
    answer = behave.get("answer")
    response = answer() if answer is not None else HttpResponseRedirect("/thanks/")
    if "taken" in behave:
        confirm(request, response, taken=behave["taken"])
    return response


def _upload(request: HttpRequest) -> HttpResponse:
    at("before", request)
    seen.append(request)
    request.read_files = [(one.name, one.content_type, one.read()) for one in request.FILES.values()]
    return HttpResponseRedirect("/thanks/")


@serve_form(forms.Form, keys=["save"])
def button(request: HttpRequest) -> HttpResponse:
    at("before", request)
    seen.append(request)
    if forms.Form(request.POST or None).is_valid():
        Order.objects.create(number=request.POST.get("save", "pressed"))
    return HttpResponse("done")


@serve_form(OrderForm)
async def aorder(request: HttpRequest) -> HttpResponse:
    at("before", request)
    seen.append(request)
    await Order.objects.acreate(number=request.POST["number"])
    answer = behave.get("answer")
    return answer() if answer is not None else HttpResponseRedirect("/thanks/")


order = serve_form(OrderForm, session=["basket"], initial=lambda request: at("initial", request))(_order)

urlpatterns = [
    path("order/", order),
    path("checked/", csrf_protect(serve_form(OrderForm)(_order))),
    path("loose/", serve_form(OrderForm, atomic=False)(_order)),
    path("aorder/", aorder),
    path("members/", login_required(aorder)),
    path("button/", button),
    path("upload/", serve_form(UploadForm)(_upload)),
    path("thanks/", lambda request: HttpResponse("thanks")),
]
