"""A site in which everything happens that a trace has to tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from opentelemetry import trace

from django_qaprod import Journey, Step, degrade, registry

SECRET = "password=hunter2canary"


with registry.isolated():

    class Orders(Journey):
        submitted = Step()


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def broken(request: HttpRequest, word: str) -> HttpResponse:
    raise LookupError(f"no such thing at {request.path}: {SECRET}")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404(f"nothing here: {SECRET}")


def degraded(request: HttpRequest) -> HttpResponse:
    with degrade("school search", journey=Orders):
        raise ValueError(f"search is down: {SECRET}")
    return HttpResponse("served")


def within(request: HttpRequest) -> HttpResponse:
    with trace.get_tracer("host").start_as_current_span("asking the shop"), degrade("stock"):
        raise ValueError("no stock")
    return HttpResponse("served")


def logs(request: HttpRequest) -> HttpResponse:
    logging.getLogger("shop").error("the stock is negative")
    return HttpResponse("ok")


def chain(request: HttpRequest) -> HttpResponse:
    try:
        raise ConnectionError("refused")
    except ConnectionError as error:
        raise LookupError("no stock") from error


def ends(request: HttpRequest) -> HttpResponse:
    raise SystemExit(0)


def step(request: HttpRequest, number: str) -> HttpResponse:
    Orders.submitted.record(number)
    return HttpResponse(number)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[str]:
        yield "one"
        yield "two"
        if "break" in request.GET:
            raise RuntimeError(f"in the middle: {SECRET}")

    return StreamingHttpResponse(chunks())


async def astream(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[str]:
        yield "one"
        await asyncio.sleep(float(request.GET.get("wait", 0)))
        yield "two"
        if "break" in request.GET:
            raise RuntimeError(f"in the middle: {SECRET}")

    return StreamingHttpResponse(chunks())


async def aok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


async def abroken(request: HttpRequest, word: str) -> HttpResponse:
    raise LookupError(f"no such thing at {request.path}: {SECRET}")


async def waits(request: HttpRequest) -> HttpResponse:
    logging.getLogger("shop").warning("begun")
    await asyncio.sleep(60)
    return HttpResponse("late")


def home(request: HttpRequest) -> HttpResponse:
    if "named" in request.GET:
        trace.get_current_span().update_name("the window")
    return HttpResponse("ok")


urlpatterns = [
    path("", home, name="home"),
    path("ok/", ok),
    path("aok/", aok),
    path("broken/<str:word>/", broken),
    path("abroken/<str:word>/", abroken),
    path("missing/", missing),
    path("degraded/", degraded),
    path("within/", within),
    path("logs/", logs),
    path("chain/", chain),
    path("ends/", ends),
    path("step/<str:number>/", step),
    path("stream/", stream),
    path("astream/", astream),
    path("waits/", waits),
]
