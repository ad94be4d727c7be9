"""A host of any form and any view, in which anything fails that a test names: what a property is tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, cast

from asgiref.sync import sync_to_async
from django import forms
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.messages import success
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.views.generic import CreateView, FormView

from django_qaprod import ServeFormMixin, serve_form
from django_qaprod.forms.confirmed import confirm
from tests.project.shop.models import Order

PASSWORD = "Xk9canaryQ7vZ2mLw8"
CARD = "4111 1111 1111 1111"

STORED, THANKS, BACK = "/stored/", "/thanks/", "/form/"

PAGES = {
    "stormy.html": """<!doctype html><html><body><main>{{ fault }}{{ processed }}
{% for message in messages %}<p>{{ message }}</p>{% endfor %}<header>{{ request.user }}</header>
<form method="post">{% csrf_token %}{{ form.as_p }}</form></main></body></html>"""
}


class StrangeError(Exception):
    """One that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


ERRORS: dict[str, Callable[[], Exception]] = {
    "value": lambda: ValueError("the host's own bug"),
    "key": lambda: KeyError(PASSWORD[:0]),
    "outage": lambda: OperationalError("server closed the connection unexpectedly"),
    "interface": lambda: InterfaceError("connection already closed"),
    "integrity": lambda: IntegrityError("duplicate key"),
    "recursion": lambda: RecursionError("maximum recursion depth exceeded"),
    "memory": lambda: MemoryError(),
    "stop": lambda: StopIteration(),
    # Not one of decoding, which a template passes over in silence.
    "unicode": lambda: UnicodeEncodeError("ascii", "\xe9", 0, 1, "ordinal not in range"),
    "strange": lambda: StrangeError(),
    "group": lambda: ExceptionGroup("several", [ValueError("one"), OperationalError("two")]),
    "refused": lambda: forms.ValidationError("where nobody expects it"),
}

#: Where something fails at present, and how.
faults: dict[str, str] = {}


def at(place: str) -> str:
    """Fail, if this is a place where something is to fail."""
    if place in faults:
        error = ERRORS[faults[place]]()
        raise error
    return ""


def processor(request: HttpRequest) -> dict[str, Any]:
    return {"processed": at("processor")}


class SessionStore(DatabaseSession):
    def load(self) -> dict[str, Any]:
        at("session")
        return super().load()


class Messages(FallbackStorage):
    def add(self, *args: Any, **kwargs: Any) -> None:
        at("message")
        super().add(*args, **kwargs)

    # Not _get: behind a view that has done its work it is the middleware that would fail.
    def __iter__(self) -> Any:
        at("messages")
        return super().__iter__()


class FragileInput(forms.TextInput):
    def render(self, *args: Any, **kwargs: Any) -> Any:
        at("widget")
        return super().render(*args, **kwargs)


class FragileField(forms.CharField):
    widget = FragileInput

    def clean(self, value: Any) -> Any:
        at("field")
        return super().clean(value)


def _choices() -> list[tuple[str, str]]:
    at("choices")
    return [("north", "North"), ("south", "South & more"), ("7", "Seven")]


#: Fields by kind. None is required: whether a form is valid is up to ``number`` alone.
FIELDS: dict[str, Callable[[], forms.Field]] = {
    "text": lambda: forms.CharField(required=False, help_text="Some <b>text</b>"),
    "letter": lambda: forms.CharField(required=False, widget=forms.Textarea),
    "note": lambda: forms.CharField(required=False),
    "fragile": lambda: FragileField(required=False),
    "region": lambda: forms.ChoiceField(choices=_choices, required=False),
    "regions": lambda: forms.MultipleChoiceField(
        choices=_choices, required=False, widget=forms.CheckboxSelectMultiple
    ),
    "account": lambda: forms.ModelChoiceField(Order.objects.all(), required=False),
    "accounts": lambda: forms.ModelMultipleChoiceField(Order.objects.all(), required=False),
    "amount": lambda: forms.DecimalField(required=False),
    "agreed": lambda: forms.BooleanField(required=False),
    "meeting": lambda: forms.SplitDateTimeField(required=False),
    "born": lambda: forms.DateField(required=False, widget=forms.SelectDateWidget(years=range(1990, 2000))),
    "cv": lambda: forms.FileField(required=False),
    "login": lambda: forms.CharField(required=False, widget=forms.PasswordInput),
    "login_needed": lambda: forms.CharField(widget=forms.PasswordInput),
    "payment": lambda: forms.CharField(
        required=False, widget=forms.TextInput(attrs={"autocomplete": "cc-number"})
    ),
}
#: What is never stored, nor found anywhere else.
PRIVATE = {"login", "login_needed", "payment"}


class StormyForm(forms.Form):
    number = forms.CharField(max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        at("form")
        super().__init__(*args, **kwargs)

    def clean(self) -> Any:
        at("clean")
        return super().clean()


class StormyModelForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ("number",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        at("form")
        super().__init__(*args, **kwargs)

    def clean(self) -> Any:
        at("clean")
        return super().clean()


@dataclass(frozen=True, kw_only=True)
class Host:
    """A form and its view."""

    kinds: tuple[str, ...] = ()
    model: bool = False
    rows: int = 0
    view: str = "function"
    atomic: bool = True
    with_template: bool = True
    thanks: bool = False
    #: Whether the view says that it has taken something, besides its answer.
    says: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What the names of the first form's fields begin with."""
        return "form-0-" if self.rows else ""

    @property
    def transactional(self) -> bool:
        return self.atomic and self.view != "async"

    def form_class(self) -> type[Any]:
        base = StormyModelForm if self.model else StormyForm
        made = type("ApplicationForm", (base,), {kind: FIELDS[kind]() for kind in self.kinds})
        return forms.formset_factory(made, extra=self.rows) if self.rows else made

    def made(self) -> Callable[..., Any]:
        """Return the view as a route has it."""
        options: dict[str, Any] = {
            "atomic": self.atomic,
            "initial": lambda request: _initial(self.rows),
            "context": lambda request: {"fault": at("context") or Late("template")},
            "subject": lambda request: at("subject") or 7,
        }
        if self.with_template:
            options["template"] = "stormy.html"
        if self.thanks:
            options["thanks"] = lambda request, kept: HttpResponseRedirect(at("thanks") or THANKS)
        if self.view == "nested":
            return _nested(serve_form(self.form_class(), **options), self._view(says=self.says))
        if self.view == "class":
            return _by_class(self.form_class(), options, self)
        return serve_form(self.form_class(), **options)(self._view(says=self.says))  # type: ignore[arg-type]

    def _view(self, *, says: bool) -> Callable[..., Any]:
        form_class, late = self.form_class(), self.view not in {"function", "nested"}

        def work(request: HttpRequest) -> HttpResponse:
            at("before")
            request.session.get("cart")
            form = form_class(request.POST or None, request.FILES or None)
            if request.method == "POST" and form.is_valid():
                return _effect(request, form, says=says)
            values = {"form": form, "fault": Late("page")}
            if late:
                return TemplateResponse(request, "stormy.html", values)
            return render(request, "stormy.html", values)

        async def awork(request: HttpRequest) -> HttpResponse:
            return await sync_to_async(work, thread_sensitive=True)(request)

        return awork if self.view == "async" else work


class Late:
    """Fails when a template shows it."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __str__(self) -> str:
        return at(self._place)


def _initial(rows: int) -> Any:
    at("initial")
    return [{"number": "N-1"}] if rows else {"number": "N-1"}


def _nested(serve: Callable[..., Any], view: Callable[..., Any]) -> Callable[..., Any]:
    """Return a served view that calls another."""
    inner = serve(view)

    @serve
    def outer(request: HttpRequest) -> HttpResponse:
        at("outer")
        response: HttpResponse = inner(request)
        at("behind")
        return response

    return cast("Callable[..., Any]", outer)


def _effect(request: HttpRequest, form: Any, *, says: bool) -> Any:
    """Do what the form is for: two rows, so that half of it can be seen."""
    if "handled" in faults:
        return HttpResponseRedirect(BACK)
    first = form.forms[0] if isinstance(form, forms.BaseFormSet) else form
    number = first.cleaned_data["number"]
    if isinstance(form, forms.ModelForm):
        form.save()
    else:
        Order.objects.create(number=number)
    at("inside")
    Order.objects.create(number=number)
    if "commit" in faults:
        # The user does not exist, which a database says at the end of the transaction.
        LogEntry.objects.create(user_id=999_999, action_flag=ADDITION, object_repr="x")
    transaction.on_commit(lambda: at("hook") and None)
    success(request, "Saved!")
    at("after")
    if "rubbish" in faults:
        return "Saved!"
    response = HttpResponseRedirect(STORED)
    if says:
        confirm(request, response, taken=True)
    return response


def _by_class(form_class: type[Any], options: dict[str, Any], host: Host) -> Callable[..., Any]:
    given, model = form_class, host.model and not host.rows

    class Apply(ServeFormMixin, CreateView if model else FormView):  # type: ignore[misc]
        form_class = given
        template_name = "stormy.html"
        serve = options
        if model:
            queryset = Order.objects.all()

        def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            at("before")
            request.session.get("cart")
            return super().get(request, *args, **kwargs)

        def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            at("before")
            request.session.get("cart")
            return super().post(request, *args, **kwargs)

        def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
            return super().get_context_data(**kwargs, fault=Late("page"))

        def form_valid(self, form: Any) -> HttpResponse:
            return cast("HttpResponse", _effect(self.request, form, says=host.says))

    return Apply.as_view()


class Typed(HTMLParser):
    """What a browser would send of a page's forms, by name and value."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.pairs: list[tuple[str, str]] = []
        self._area: str | None = None
        self._text = ""
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        name = of.get("name") or ""
        if tag in {"input", "select", "textarea"}:
            self.names.add(name)
        if tag == "textarea":
            self._area, self._text = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in of:
            self.pairs.append((self._select, of.get("value") or ""))
        elif tag == "input" and (of.get("type") not in {"checkbox", "radio"} or "checked" in of):
            self.pairs.append((name, of.get("value", "on") or ""))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            self.pairs.append((self._area, self._text.removeprefix("\n")))
            self._area = None


def commit_and_lose() -> Callable[[], None]:
    """Have the next COMMIT be done, and its answer lost; return what ends this."""
    wrapper: Any = connections[DEFAULT_DB_ALIAS]

    def commit() -> None:
        stop()
        wrapper._commit()
        raise InterfaceError("connection already closed")

    def stop() -> None:
        vars(wrapper).pop("_commit", None)

    wrapper._commit = commit
    return stop
