"""Views as a host has them: each does one thing that capture must cope with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from .models import Order


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


async def aok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def raising(request: HttpRequest) -> HttpResponse:
    raise ValueError("the shop is on fire")


async def araising(request: HttpRequest) -> HttpResponse:
    raise ValueError("the shop is on fire")


def order(request: HttpRequest, number: str) -> HttpResponse:
    return HttpResponse(f"order {number}")


def streaming(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_parts(fail="fail" in request.GET))


async def astreaming(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_aparts(fail="fail" in request.GET))


@transaction.atomic
def read_then_write(request: HttpRequest) -> HttpResponse:
    """Read and then write in one transaction: on SQLite any other write in between makes it fail."""
    count = Order.objects.count()
    Order.objects.create(number=str(count))
    return HttpResponse(str(count))


def _parts(*, fail: bool) -> Iterator[bytes]:
    yield b"one "
    if fail:
        raise ValueError("in the middle of a stream")
    yield b"two"


async def _aparts(*, fail: bool) -> AsyncIterator[bytes]:
    for part in _parts(fail=fail):
        yield part
