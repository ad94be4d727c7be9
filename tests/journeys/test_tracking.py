from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils.decorators import method_decorator
from django.views import View

from django_qaprod import Journey, Step
from django_qaprod.exceptions import DeclarationError, SubjectKeyError
from django_qaprod.pipeline import guard
from django_qaprod.records import EventRecord, Record
from django_qaprod.testing import Records
from tests.recorded import records as records


@pytest.fixture
def submitted() -> Step:
    class JobApplication(Journey):
        submitted = Step()
        properties = ("form_type",)

    return JobApplication.submitted


def subjects(tap: list[Record]) -> list[str]:
    return [record.subject for record in tap if isinstance(record, EventRecord)]


def test_a_view_that_succeeds_is_recorded(submitted: Step, tap: list[Record]) -> None:
    @submitted.track(
        subject=lambda response, request, pk: pk, properties=lambda response, request, pk: {"form_type": "a"}
    )
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        """Apply."""
        return HttpResponse(status=302)

    assert view(RequestFactory().get("/"), pk=4).status_code == 302
    assert view.__doc__ == "Apply."
    assert subjects(tap) == ["4"]
    assert isinstance(tap[0], EventRecord)
    assert tap[0].properties == {"form_type": "a"}


def test_a_view_that_fails_is_not(submitted: Step, tap: list[Record]) -> None:
    @submitted.track(subject="pk")
    def refuses(request: HttpRequest, pk: int) -> HttpResponse:
        return HttpResponse(status=400)

    @submitted.track(subject="pk")
    def raises(request: HttpRequest, pk: int) -> HttpResponse:
        raise ZeroDivisionError

    refuses(RequestFactory().get("/"), 4)
    with pytest.raises(ZeroDivisionError):
        raises(RequestFactory().get("/"), 4)
    assert subjects(tap) == []


async def test_a_coroutine_is_tracked_too(submitted: Step, tap: list[Record]) -> None:
    @submitted.track(subject="pk")
    async def view(request: HttpRequest, pk: int = 3) -> HttpResponse:
        return HttpResponse()

    @submitted.track(subject=lambda result: result)
    async def function() -> int | None:
        return None

    assert (await view(RequestFactory().get("/"))).status_code == 200
    await function()
    assert subjects(tap) == ["3"]


def test_functions_and_methods(submitted: Step, tap: list[Record]) -> None:
    class Importer:
        @submitted.track(subject=lambda result, self, row: result)
        def take(self, row: str) -> str:
            return row.upper()

    @submitted.track(subject="row")
    def loose(**kwargs: str) -> None: ...

    assert Importer().take("a") == "A"
    loose(row="b")
    assert subjects(tap) == ["A", "b"]


def test_class_based_views(submitted: Step, tap: list[Record]) -> None:
    @method_decorator(submitted.track(subject="pk"), name="post")
    class Apply(View):
        def post(self, request: HttpRequest, pk: int) -> HttpResponse:
            return HttpResponse()

    Apply.as_view()(RequestFactory().post("/"), pk=8)
    assert subjects(tap) == ["8"]


def test_a_subject_that_cannot_be_found_is_seen_in_development(submitted: Step, tap: list[Record]) -> None:
    @submitted.track(subject=lambda result: object())
    def function() -> int:
        return 1

    with pytest.raises(SubjectKeyError):
        function()


@pytest.mark.usefixtures("production")
def test_a_subject_that_cannot_be_found_leaves_production_alone(submitted: Step, tap: list[Record]) -> None:
    @submitted.track(subject=lambda result: 1 / 0)
    def function() -> int:
        return 1

    assert function() == 1
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"journeys": 1}


@pytest.mark.usefixtures("production")
def test_what_finding_the_subject_logs_is_captured(submitted: Step, records: Records) -> None:
    def find(result: object, request: HttpRequest) -> str:
        logging.getLogger("jobs").error("nobody is signed in")
        return "4"

    @submitted.track(subject=find)
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=302)

    view(RequestFactory().get("/"))
    assert [one.message for one in records.failures] == ["nobody is signed in"]
    assert [one.subject for one in records.events] == ["4"]


def test_what_cannot_be_tracked_is_refused_clearly(submitted: Step) -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def agenerator() -> AsyncIterator[int]:
        yield 1

    def function() -> None: ...

    tracks: Any = submitted.track(subject="pk")
    for wrong, message in (
        (View, "method_decorator"),
        (generator, "is a generator"),
        (agenerator, "is a generator"),
        (3, "decorates a function"),
        (function, "no argument of that name"),
    ):
        with pytest.raises(DeclarationError, match=message):
            tracks(wrong)
    with pytest.raises(DeclarationError, match="argument's name or a function"):
        submitted.track(subject=3)  # type: ignore[arg-type]
