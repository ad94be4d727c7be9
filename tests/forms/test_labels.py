"""What is known of the fields of a submission, when somebody is to edit it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.db import connection, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from pytest_django.fixtures import Settings

from django_qaprod import ServeFormMixin, serve_form
from django_qaprod.forms import labels
from django_qaprod.forms.labels import FieldLabel, labels_of
from django_qaprod.pipeline import guard
from tests.forms import kept
from tests.project.shop.models import Order

pytestmark = pytest.mark.django_db(databases="__all__")

REGIONS = [("North", [("n", "North"), ("nw", "North-west")]), ("", [("s", "South")])]


def broken() -> list[tuple[str, str]]:
    raise LookupError("the choices are gone")


class Apply(forms.Form):
    full_name = forms.CharField(help_text="As in <b>your passport</b>.")
    region = forms.ChoiceField(choices=REGIONS, label=gettext_lazy("Received"))
    broken = forms.ChoiceField(choices=broken)
    order = forms.ModelChoiceField(Order.objects.order_by("number"), required=False, empty_label="None")


Rows = forms.formset_factory(Apply)


def view(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    raise NotImplementedError


class ByAddress(ServeFormMixin, FormView):  # type: ignore[type-arg]
    def get_form_class(self) -> Any:
        return {"apply": Apply}[self.kwargs["page"]]


urlpatterns = [
    path("apply/<int:pk>/", serve_form(Apply)(view)),
    path("rows/", serve_form({"rows": Rows})(view)),
    path("pages/<slug:page>/", ByAddress.as_view()),
    path("unserved/", view),
]


@pytest.fixture(autouse=True)
def urls(settings: Settings) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    yield
    guard.take()


def of(*names: str, address: str = "/apply/7/?from=mail", **fields: Any) -> dict[str, FieldLabel]:
    return labels_of(kept.sent(path=address, fields=tuple((name, "x") for name in names), **fields))


def test_fields_are_called_as_the_visitor_knew_them() -> None:
    found = of("full_name", "region", "unknown")
    assert found["full_name"] == FieldLabel(label="Full name", help_text="As in your passport.")
    assert found["region"].label == "Received"
    assert found["region"].choices == (("n", "North"), ("nw", "North-west"), ("s", "South"))
    assert "unknown" not in found


def test_an_address_that_is_gone_has_no_labels_and_is_no_error_of_ours() -> None:
    assert of("full_name", address="/moved/") == {}
    assert guard.take() is None


def test_choices_of_the_database_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [Order.objects.create(number=f"N-{number}") for number in range(3)]
    choices = of("order")["order"].choices
    assert choices == (("", "None"), *((str(one.pk), str(one)) for one in made))
    monkeypatch.setattr(labels, "MOST_CHOICES", 3)
    with CaptureQueriesContext(connection) as read:
        assert of("order")["order"].choices == ()
    assert any("LIMIT 4" in query["sql"] for query in read)


def test_choices_that_cannot_be_had_cost_the_choices_alone() -> None:
    with transaction.atomic():
        found = of("broken", "full_name")
        assert Order.objects.count() == 0
    assert found["broken"] == FieldLabel(label="Broken")
    assert found["full_name"].label == "Full name"


def test_a_query_that_fails_leaves_a_transaction_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Apply.base_fields["order"], "_queryset", Order.objects.extra(where=["no_such > 1"]))
    with transaction.atomic():
        assert of("order")["order"] == FieldLabel(label="Order")
        assert Order.objects.count() == 0


def test_rows_of_a_formset_share_a_query() -> None:
    Order.objects.create(number="N-1")
    names = [f"form-{number}-order" for number in range(5)]
    with CaptureQueriesContext(connections["default"]) as read:
        found = of(*names, "form-TOTAL_FORMS", address="/rows/")
    assert set(found) == set(names)
    assert len([query for query in read if "shop_order" in query["sql"]]) == 1


def test_a_prefix_that_only_the_view_knows_is_looked_past() -> None:
    assert of("person-full_name")["person-full_name"].label == "Full name"


@pytest.mark.parametrize("script", ["", "/site"])
def test_a_class_based_view_is_asked_with_its_arguments(script: str) -> None:
    found = of("full_name", address=f"{script}/pages/apply/", script=script)
    assert found["full_name"].label == "Full name"


@pytest.mark.parametrize("address", ["/pages/nonsense/", "/unserved/", "/gone/", "", "//x"])
def test_what_cannot_be_told_is_left_out(address: str) -> None:
    assert of("full_name", address=address) == {}
