"""A host with forms of all sorts, in which anything can be made to fail."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path
from django.views import View
from django.views.generic import CreateView, FormView, UpdateView

from django_qaprod import ServeFormMixin, serve_form
from django_qaprod.forms.confirmed import confirm
from tests.project.shop.models import Order

#: By place, what happens there: an exception to raise, or something to call. Cleared for each test.
faults: dict[str, Any] = {}


def at(place: str) -> None:
    fault = faults.get(place)
    if isinstance(fault, BaseException):
        raise fault
    if callable(fault):
        fault()


def choices() -> list[tuple[str, str]]:
    at("choices")
    return [("north", "North"), ("south", "South")]


class OrderForm(forms.Form):
    number = forms.CharField(max_length=10, help_text="It is on the letter.")
    email = forms.EmailField(required=False, widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    region = forms.ChoiceField(choices=choices, required=False)
    order = forms.ModelChoiceField(Order.objects.all(), required=False)

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        at("form")
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        at("clean")
        return super().clean() or {}


class OrderModelForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ("number", "state")


class FileForm(forms.Form):
    title = forms.CharField()
    letter = forms.FileField()


OrderFormSet = forms.formset_factory(OrderForm, extra=2)
OrderModelFormSet = forms.modelformset_factory(Order, fields=("number",), extra=1)


def _order(request: HttpRequest) -> HttpResponse:
    at("before")
    form = OrderForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        made = Order.objects.create(number=form.cleaned_data["number"])
        request.session["made"] = made.pk
        messages.success(request, "Saved!")
        at("after")
        return answered(request)
    return render(request, "tests_forms/order.html", {"form": form, "vacancy": "Caretaker"})


def answered(request: HttpRequest) -> HttpResponse:
    response = faults["answer"]() if "answer" in faults else HttpResponseRedirect("/thanks/")
    if "asks" in faults:
        faults["asks"] = request.user.pk
    if "signs_in" in faults:
        login(request, faults["signs_in"])
    if "taken" in faults:
        confirm(request, response, taken=faults["taken"])
    return response


def given(request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
    at("initial")
    return {"number": "N-1"}


def context(request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
    at("context")
    return {"vacancy": "Caretaker"}


ORDER = serve_form(OrderForm, template="tests_forms/order.html", initial=given, context=context)
order = ORDER(_order)
plain = serve_form(OrderForm)(_order)
loose = serve_form(OrderForm, atomic=False)(_order)
unkept = serve_form(OrderForm, rescue=False)(_order)
order_unkept = serve_form(OrderForm, template="tests_forms/order.html", rescue=False)(_order)
excluded = transaction.non_atomic_requests(serve_form(OrderForm)(_order))
excluded_below = serve_form(OrderForm)(transaction.non_atomic_requests(_order))
thanked = serve_form(OrderForm, thanks="/thanks/")(_order)
only = serve_form(OrderForm, only=PermissionDenied)(_order)
excluding = serve_form(OrderForm, excluding=LookupError)(_order)
private = serve_form(OrderForm, private=["number"])(_order)


def thanks(request: HttpRequest, kept: Any) -> HttpResponse:
    at("thanks")
    return HttpResponse(f"thanks {kept.reference}")


thanked_by_function = serve_form(OrderForm, thanks=thanks)(_order)


@serve_form(forms.Form)
def button(request: HttpRequest) -> HttpResponse:
    at("before")
    return HttpResponse("pressed")


@serve_form(OrderForm)
def nothing(request: HttpRequest) -> Any:
    if request.method == "POST":
        Order.objects.create(number=request.POST["number"])
    return faults["nothing"]()


@ORDER
async def aorder(request: HttpRequest) -> HttpResponse:
    at("before")
    if request.method == "POST":
        await Order.objects.acreate(number="async")
        at("after")
        return answered(request)
    return TemplateResponse(request, "tests_forms/order.html", {"form": OrderForm()})


@ORDER
async def alate(request: HttpRequest) -> HttpResponse:
    values = {"form": OrderForm(), "fault": lambda: at("page")}
    return TemplateResponse(request, "tests_forms/order.html", values)


@ORDER
def late(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        Order.objects.create(number="late")
    return TemplateResponse(
        request, "tests_forms/order.html", {"form": OrderForm(), "fault": lambda: at("page")}
    )


@serve_form(OrderFormSet, form_name="formset", template="tests_forms/formset.html")
def formset(request: HttpRequest) -> HttpResponse:
    at("before")
    return HttpResponse("formset")


@serve_form(
    OrderModelFormSet,
    form_name="formset",
    form_kwargs=lambda request: {"queryset": Order.objects.order_by("pk")},
)
def model_formset(request: HttpRequest) -> HttpResponse:
    at("before")
    return HttpResponse("formset")


@serve_form(
    {"form": OrderModelForm, "letter": FileForm}, instance=lambda request: {"form": Order(number="I-1")}
)
def several(request: HttpRequest) -> HttpResponse:
    at("before")
    return HttpResponse("several")


@serve_form(FileForm)
def upload(request: HttpRequest) -> HttpResponse:
    at("before")
    return answered(request) if "taken" in faults else HttpResponse("upload")


@serve_form(OrderForm)
def streaming(request: HttpRequest) -> StreamingHttpResponse:
    """Reads what was sent while it answers."""
    at("before")
    return StreamingHttpResponse((part() for part in (lambda: b"got ", request.read)), status=201)


@serve_form(OrderForm)
def tidying(request: HttpRequest) -> HttpResponse:
    request.POST = tidied = request.POST.copy()
    at("before")
    tidied["number"] = tidied["number"].strip()
    Order.objects.create(number=tidied["number"])
    return answered(request)


@serve_form(OrderForm)
def streamed(request: HttpRequest) -> HttpResponse:
    request.read(10)
    raise ValueError("in the middle of the body")


@serve_form(OrderForm)
def committing(request: HttpRequest) -> HttpResponse:
    Order.objects.create(number="hook")
    transaction.on_commit(lambda: at("hook"))
    return HttpResponse("committed")


@serve_form(OrderForm)
def rolling_back(request: HttpRequest) -> HttpResponse:
    Order.objects.create(number="asked")
    transaction.set_rollback(True)
    return HttpResponse("rolled back")


@serve_form(OrderForm)
def swallowing(request: HttpRequest) -> HttpResponse:
    Order.objects.create(number="swallowed")
    with contextlib.suppress(Error):
        connection.cursor().execute("SELECT no_such_thing")
    return HttpResponse("all is well")


@serve_form(OrderForm)
def signing_in(request: HttpRequest) -> HttpResponse:
    login(request, faults["user"])
    raise ValueError("after the login")


class ByForm(ServeFormMixin, FormView):
    form_class = OrderForm
    template_name = "tests_forms/order.html"
    success_url = "/thanks/"

    def get_initial(self) -> dict[str, Any]:
        at("initial")
        return {"number": "N-2"}

    def get_form_kwargs(self) -> dict[str, Any]:
        at("kwargs")
        return {**super().get_form_kwargs(), "user": self.request.user}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        at("context")
        return super().get_context_data(**kwargs, vacancy="Caretaker", fault=lambda: at("page"))

    def form_valid(self, form: OrderForm) -> HttpResponse:
        Order.objects.create(number=form.cleaned_data["number"])
        at("after")
        return super().form_valid(form)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        at("before")
        return super().get(request, *args, **kwargs)


class Create(ServeFormMixin, CreateView):
    model = Order
    fields = ("number", "state")
    template_name = "tests_forms/order.html"
    success_url = "/thanks/"

    def form_valid(self, form: forms.ModelForm) -> HttpResponse:
        super().form_valid(form)
        at("after")
        return answered(self.request)


class Update(ServeFormMixin, UpdateView):
    model = Order
    fields = ("number", "state")
    template_name = "tests_forms/order.html"
    success_url = "/thanks/"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        at("context")
        return super().get_context_data(**kwargs)

    def form_valid(self, form: forms.ModelForm) -> HttpResponse:
        at("after")
        return super().form_valid(form)


class AsyncView(ServeFormMixin, View):
    serve = {"form": OrderForm, "template": "tests_forms/order.html"}

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        at("before")
        return HttpResponse("async")

    async def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        at("before")
        return HttpResponse("async")


@serve_form(OrderForm)
def following(request: HttpRequest) -> HttpResponse:
    at("following")
    return HttpResponse("the page that follows")


@serve_form(OrderForm)
def leading(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        Order.objects.create(number=request.POST["number"])
    return following(request)


@serve_form(OrderForm)
def disguised(request: HttpRequest) -> HttpResponse:
    Order.objects.create(number=request.POST["number"])
    request.method = "GET"
    request.POST = QueryDict("number=tidied")
    return following(request)


@serve_form(OrderForm)
def elsewhere(request: HttpRequest) -> HttpResponse:
    """Hands on what another request was answered."""
    other = copy.copy(request)
    vars(other).pop("_qaprod_served")
    return following(other)


@serve_form(OrderForm)
async def afollowing(request: HttpRequest) -> HttpResponse:
    at("following")
    return HttpResponse("the page that follows")


@serve_form(OrderForm)
async def aleading(request: HttpRequest) -> HttpResponse:
    await Order.objects.acreate(number=request.POST["number"])
    return await afollowing(request)


class SelfGet(ServeFormMixin, View):
    serve = {"form": OrderForm}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        at("following")
        return HttpResponse("the page that follows")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        Order.objects.create(number=request.POST["number"])
        return self.get(request, *args, **kwargs)


class AsyncSelfGet(ServeFormMixin, View):
    serve = {"form": OrderForm}

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        at("following")
        return HttpResponse("the page that follows")

    async def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        await Order.objects.acreate(number=request.POST["number"])
        return await self.get(request, *args, **kwargs)


def everything_else(request: HttpRequest) -> HttpResponse:
    return HttpResponse("thanks")


VIEWS: dict[str, Callable[..., Any]] = {
    "order": order,
    "plain": plain,
    "loose": loose,
    "unkept": unkept,
    "order_unkept": order_unkept,
    "excluded": excluded,
    "excluded_below": excluded_below,
    "thanked": thanked,
    "thanked_by_function": thanked_by_function,
    "nothing": nothing,
    "button": button,
    "only": only,
    "excluding": excluding,
    "private": private,
    "aorder": aorder,
    "alate": alate,
    "late": late,
    "formset": formset,
    "model_formset": model_formset,
    "several": several,
    "upload": upload,
    "streaming": streaming,
    "tidying": tidying,
    "streamed": streamed,
    "committing": committing,
    "rolling_back": rolling_back,
    "swallowing": swallowing,
    "signing_in": signing_in,
    "by_form": ByForm.as_view(),
    "create": Create.as_view(),
    "async_view": AsyncView.as_view(),
    "leading": leading,
    "disguised": disguised,
    "elsewhere": elsewhere,
    "aleading": aleading,
    "self_get": SelfGet.as_view(),
    "async_self_get": AsyncSelfGet.as_view(),
    "thanks": everything_else,
}

urlpatterns = [
    *(path(f"{name}/", view, name=name) for name, view in VIEWS.items()),
    path("update/<int:pk>/", Update.as_view(), name="update"),
    path("by_class/", LoginView.as_view(), name="members"),
    path("signin/", everything_else, name="signin"),
]
