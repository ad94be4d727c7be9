from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from django_qaprod import critical
from django_qaprod.context import Context
from django_qaprod.exceptions import DeclarationError
from django_qaprod.journeys import Journey, Step
from django_qaprod.registry import isolated
from django_qaprod.testing import Records

# Other tests run the system checks, and this journey is nobody's there.
with isolated():

    @critical(journey="job_application")
    def apply(request: HttpRequest) -> HttpResponse:
        raise ValueError("no form")

    @critical(journey="job_application")
    async def aapply(request: HttpRequest) -> HttpResponse:
        raise ValueError("no form")

    @method_decorator(critical(journey="job_application"), name="dispatch")
    class Apply(View):
        def get(self, request: HttpRequest) -> HttpResponse:
            raise ValueError("no form")

    class AsyncApply(View):
        async def get(self, request: HttpRequest) -> HttpResponse:
            raise ValueError("no form")

    urlpatterns = [
        path("apply/", apply),
        path("aapply/", aapply),
        path("class/", Apply.as_view()),
        path("aclass/", critical(journey="job_application")(AsyncApply.as_view())),
    ]

pytestmark = pytest.mark.urls(__name__)


@pytest.mark.parametrize("url", ["/apply/", "/class/", "/aapply/", "/aclass/"])
def test_failures_of_a_critical_view_outrank_others(records: Records, client: Client, url: str) -> None:
    client.raise_request_exception = False
    assert client.get(url).status_code == 500
    (failure,) = records.failures
    assert failure.critical
    assert failure.severity == "critical"
    assert failure.journey == "job_application"


@pytest.mark.parametrize("url", ["/apply/", "/class/", "/aapply/", "/aclass/"])
async def test_failures_of_a_critical_view_outrank_others_async(
    records: Records, async_client: AsyncClient, url: str
) -> None:
    async_client.raise_request_exception = False
    assert (await async_client.get(url)).status_code == 500
    (failure,) = records.failures
    assert (failure.critical, failure.journey) == (True, "job_application")


def test_a_view_keeps_what_it_is() -> None:
    @critical()
    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert view.csrf_exempt  # type: ignore[attr-defined]
    assert iscoroutinefunction(aapply)
    assert not iscoroutinefunction(apply)


def test_the_journey_may_be_given_as_such(served: Context) -> None:
    with isolated():

        class JobApplication(Journey):
            started = Step()

        critical(journey=JobApplication)(lambda: None)()
    assert (served.critical, served.journey) == (True, "job_application")
    critical()(lambda: None)()
    assert served.journey == "job_application"


def test_outside_of_a_request_it_changes_nothing() -> None:
    assert critical()(lambda number: number)(3) == 3


@pytest.mark.parametrize(
    ("wrong", "what_to_do"),
    [
        (lambda: critical()(Apply), "method_decorator"),
        (lambda: critical(journey=3), "a Journey or its name"),
        (lambda: critical(apply), r"write @critical\(\)"),  # type: ignore[arg-type]
    ],
)
def test_a_use_that_cannot_work_says_what_to_do(wrong: Any, what_to_do: str) -> None:
    with pytest.raises((DeclarationError, TypeError), match=what_to_do):
        wrong()
