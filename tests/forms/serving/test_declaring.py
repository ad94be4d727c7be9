"""A use that cannot work is refused where it is written."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

from django_qaprod import serve_form
from django_qaprod.exceptions import DeclarationError
from tests.forms.serving.host import ByForm, OrderForm
from tests.project.shop.models import Order


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"template": 1}, "template is a string"),
        ({"severity": "bad"}, "severity is one of"),
        ({"replay": "now"}, "replay is one of by_hand, after_deploy"),
        ({"private": "number"}, "private takes several names"),
        ({"session": "cart"}, "session takes several names"),
        ({"keys": "save"}, "keys takes several names"),
        ({"keys": ["save", "api_token"]}, "'api_token' is never stored"),
        ({"keys": ["csrfmiddlewaretoken"]}, "never stored"),
        ({"keys": ["salary"], "private": ["salary"]}, "'salary' is never stored"),
        ({"thanks": 1}, "thanks is a URL"),
        ({"only": KeyboardInterrupt}, "only takes exception classes"),
        ({"journey": 1}, "journey is a Journey or its name"),
        ({"instance": Order(number="1")}, "share one Order"),
        ({"form_kwargs": {"queryset": Order.objects.all()}}, "share one QuerySet"),
        ({"fallback": 1}, "no option fallback"),
    ],
)
def test_an_option_is_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        serve_form(OrderForm, **options)


@pytest.mark.parametrize("form", [view, "jobs.forms.OrderForm", {"form": int}, {1: OrderForm}, OrderForm()])
def test_a_form_is_a_class(form: Any) -> None:
    with pytest.raises(DeclarationError, match="form"):
        serve_form(form)


def test_a_class_is_told_of_the_mixin() -> None:
    with pytest.raises(DeclarationError, match="ServeFormMixin"):
        serve_form(OrderForm)(ByForm)


def test_a_view_keeps_its_name() -> None:
    served: Any = serve_form(OrderForm, name="apply")(view)
    assert served.__name__ == "view"
    assert served._qaprod_serves.name == "apply"
