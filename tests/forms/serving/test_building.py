"""Formsets, model forms and several forms, with and without the code around their fields."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from django_qaprod.models import RescuedSubmission
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [pytest.mark.usefixtures("in_production"), pytest.mark.django_db(databases="__all__")]

MANAGEMENT = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0"}


class ViewError(Exception):
    pass


@pytest.fixture(autouse=True)
def failing(in_production: None) -> None:
    host.faults["before"] = ViewError("the view is on fire")


def test_a_formset_is_served_kept_and_corrected(visitor: Client) -> None:
    page = visitor.get("/formset/").content.decode()
    assert 'name="form-TOTAL_FORMS"' in page
    assert 'name="form-1-number"' in page
    response = visitor.post("/formset/", {**MANAGEMENT, "form-0-number": "1"})
    assert response.status_code == 202
    response = visitor.post("/formset/", {**MANAGEMENT, "form-0-number": "much too long a number"})
    assert response.status_code == 200
    assert "at most 10 characters" in response.content.decode()
    assert RescuedSubmission.objects.count() == 1


def test_a_formset_whose_forms_cannot_be_built_is_served_by_its_fields(visitor: Client) -> None:
    host.faults["form"] = ViewError("the form's own bug")
    page = visitor.get("/formset/").content.decode()
    assert "qaprod-forms" in page
    assert 'name="form-TOTAL_FORMS"' in page
    assert 'name="form-1-number"' in page
    assert visitor.post("/formset/", {**MANAGEMENT, "form-0-number": "1"}).status_code == 202


def test_a_formset_without_its_management_form_comes_back(visitor: Client) -> None:
    response = visitor.post("/formset/", {"form-0-number": "1"})
    assert response.status_code in {200, 202}


def test_a_model_formset_shows_its_objects(visitor: Client) -> None:
    Order.objects.create(number="first")
    page = visitor.get("/model_formset/").content.decode()
    assert 'value="first"' in page
    assert 'name="form-1-number"' in page


def test_a_model_formset_without_a_database_is_served_and_kept(visitor: Client) -> None:
    order = Order.objects.create(number="first")
    host.faults["before"] = OperationalError("timed out")
    page = visitor.get("/model_formset/").content.decode()
    assert 'name="form-0-number"' in page
    assert "first" not in page
    sent = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": order.pk,
        "form-0-number": "second",
    }
    assert visitor.post("/model_formset/", sent).status_code == 202


def test_a_lone_button_is_kept(visitor: Client) -> None:
    assert "<button" in visitor.get("/button/").content.decode()
    assert visitor.post("/button/", {"csrfmiddlewaretoken": "x"}).status_code == 202


def test_what_nobody_can_read_of_a_form_is_not_said_to_be_kept(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_qaprod.forms.building._bare", lambda form_class: 1 / 0)
    host.faults["form"] = ViewError("the form's own bug")
    response = visitor.post("/plain/", {"number": "1"})
    assert response.status_code == 503
    assert not RescuedSubmission.objects.exists()


def test_several_forms_are_served_and_judged_together(visitor: Client) -> None:
    page = visitor.get("/several/").content.decode()
    assert 'value="I-1"' in page
    assert 'type="file"' in page
    response = visitor.post("/several/", {"number": "1", "state": "open"})
    assert response.status_code == 200
    assert '<a href="#id_title">Title: This field is required.</a>' in response.content.decode()
