"""Class-based views: what ``serve`` does not say is asked of the view."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.views import View

from django_qaprod import ServeFormMixin
from django_qaprod.exceptions import DeclarationError
from django_qaprod.models import RescuedSubmission
from django_qaprod.testing import Records
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [pytest.mark.usefixtures("in_production"), pytest.mark.django_db(databases="__all__")]


class ViewError(Exception):
    pass


def test_a_get_is_served_the_view_s_own_template_and_context(visitor: Client, records: Records) -> None:
    host.faults["before"] = ViewError("the handler is on fire")
    page = visitor.get("/by_form/").content.decode()
    assert "Apply as Caretaker" in page
    assert 'value="N-2"' in page
    assert 'role="status"' in page
    (failure,) = records.failures
    assert failure.name == f"{host.__name__}.ByForm"


def test_the_page_is_served_without_what_fails_of_its_context(visitor: Client, records: Records) -> None:
    host.faults["context"] = ViewError("no context")
    page = visitor.get("/by_form/").content.decode()
    assert "Apply as </h1>" in page
    assert 'value="N-2"' in page
    assert [failure.extra["rung"] for failure in records.failures] == ["view"], (
        "the same error is one failure"
    )


def test_a_form_is_built_of_what_can_be_had(visitor: Client) -> None:
    host.faults["kwargs"] = ViewError("no arguments")
    assert 'value="N-2"' in visitor.get("/by_form/").content.decode()
    host.faults["initial"] = ViewError("nor initial data")
    assert 'name="number"' in visitor.get("/by_form/").content.decode()


def test_a_late_page_that_fails_climbs_down(visitor: Client) -> None:
    host.faults["page"] = ViewError("the page")
    page = visitor.get("/by_form/").content.decode()
    assert "qaprod-forms" in page, "the template fails again, so the page is plain"


@pytest.mark.parametrize("view", ["by_form", "create"])
def test_a_post_is_kept_or_comes_back(view: str, visitor: Client) -> None:
    host.faults["after"] = host.faults["initial"] = ViewError("after the write")
    assert visitor.post(f"/{view}/", {"number": "1", "state": "open"}).status_code == 202
    assert not Order.objects.exists()
    host.faults["context"] = None
    response = visitor.post(f"/{view}/", {"number": ""})
    assert response.status_code == 200
    assert "This field is required" in response.content.decode()
    assert RescuedSubmission.objects.count() == 1


def test_an_object_is_shown_as_it_was_before_the_view(visitor: Client) -> None:
    order = Order.objects.create(number="before", state="open")
    host.faults["after"] = host.faults["context"] = ViewError("nothing works")
    page = visitor.get(f"/update/{order.pk}/").content.decode()
    assert 'value="before"' in page
    assert visitor.post(f"/update/{order.pk}/", {"number": "new", "state": "open"}).status_code == 202
    order.refresh_from_db()
    assert order.number == "before"


def test_an_object_that_the_view_did_not_come_to_is_found(rf: RequestFactory) -> None:
    class Update(host.Update):
        def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            raise ViewError("at once")

    order = Order.objects.create(number="before", state="open")
    request = rf.get("/")
    request.user = Broken()  # type: ignore[assignment]
    page = Update.as_view()(request, pk=order.pk).content.decode()
    assert "Apply as" in page
    assert 'value="before"' in page


def test_a_missing_object_is_a_404(visitor: Client) -> None:
    assert visitor.get("/update/12345/").status_code == 404


def test_nobody_else_s_object_is_shown_where_a_key_means_something_else(rf: RequestFactory) -> None:
    order = Order.objects.create(number="private", state="open")

    class Create(host.Create):
        def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            raise ViewError("the key is a vacancy's")

    response = Create.as_view()(rf.get("/"), pk=order.pk)
    assert response.status_code == 200
    assert "private" not in response.content.decode()


def test_access_control_stands_outside(rf: RequestFactory) -> None:
    class Guarded(LoginRequiredMixin, host.ByForm):
        pass

    request = rf.get("/")
    request.user = Broken()  # type: ignore[assignment]
    with pytest.raises(ViewError):
        Guarded.as_view()(request)


class Broken:
    @property
    def is_authenticated(self) -> bool:
        raise ViewError("who is it?")


def test_the_most_derived_handler_is_covered(rf: RequestFactory) -> None:
    class Derived(host.ByForm):
        def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            raise ViewError("overridden")

    request = rf.get("/")
    request.user = Broken()  # type: ignore[assignment]
    assert Derived.as_view()(request).status_code == 200


def test_a_view_without_a_form_is_refused() -> None:
    class Page(ServeFormMixin, View):
        pass

    with pytest.raises(DeclarationError, match="Page has no get_form_class"):
        Page.as_view()


def test_a_page_that_lost_its_form_is_not_served(rf: RequestFactory) -> None:
    class Wizard(host.ByForm):
        template_name = "tests_forms/wizard.html"

        def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
            host.at("context")
            return {"wizard": {"form": kwargs["form"]}}

        def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            raise ViewError("the handler is on fire")

    request = rf.get("/")
    request.user = Broken()  # type: ignore[assignment]
    assert "A wizard" in Wizard.as_view()(request).content.decode()
    host.faults["context"] = ViewError("no context, so no form")
    assert "qaprod-forms" in Wizard.as_view()(request).content.decode()


def test_a_view_may_tell_its_forms_itself(rf: RequestFactory) -> None:
    class Page(ServeFormMixin, View):
        def get_served_forms(self) -> dict[str, Any]:
            return {"one": host.OrderForm, "two": host.FileForm}

        def get_served_kwargs(self, name: str) -> dict[str, Any]:
            return {"prefix": name}

        def get(self, request: Any) -> HttpResponse:
            raise ViewError("the handler is on fire")

    page = Page.as_view()(rf.get("/")).content.decode()
    assert 'name="one-number"' in page
    assert 'name="two-title"' in page


def test_an_unknown_option_is_refused() -> None:
    class Page(ServeFormMixin, View):
        serve = {"form": host.OrderForm, "templates": "x"}

    with pytest.raises(DeclarationError, match="no option templates"):
        Page.as_view()


def test_a_setup_of_its_own_keeps_nobody_from_being_served(visitor: Client, rf: RequestFactory) -> None:
    class Apply(host.ByForm):
        def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
            self.request, self.args, self.kwargs = request, args, kwargs

    host.faults["after"] = ViewError("after the write")
    request = rf.post("/", {"number": "1"})
    request.user = AnonymousUser()
    assert Apply.as_view()(request).status_code == 202
    assert not Order.objects.exists()


def test_a_handler_that_is_there_only_since_setup_is_served(rf: RequestFactory) -> None:
    class Apply(ServeFormMixin, View):
        serve = {"form": host.OrderForm}

        def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
            self.get = self.fail
            super().setup(request, *args, **kwargs)

        def fail(self, request: Any) -> HttpResponse:
            raise ViewError("the handler is on fire")

    assert Apply.as_view()(rf.get("/")).status_code == 200


def test_a_handler_that_could_not_be_served_is_refused() -> None:
    class Apply(host.ByForm):
        @property
        def post(self) -> Any:
            return super().post

    with pytest.raises(DeclarationError, match="property"):
        Apply.as_view()
