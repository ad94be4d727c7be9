"""The yardstick: the least code that counts requests by route, identifies them and counts failures."""

from __future__ import annotations

import os
from bisect import bisect
from collections.abc import Callable
from threading import Lock
from time import perf_counter
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

histograms: dict[tuple[str | None, str, int], list[int]] = {}
failures: dict[str, int] = {}
_lock = Lock()


@sync_and_async_middleware
def observe(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Observe every request."""
    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> HttpResponse:
            started = _start(request)
            response: HttpResponse = await get_response(request)
            _add(request, response, perf_counter() - started)
            return response

        return amiddleware

    def middleware(request: HttpRequest) -> HttpResponse:
        started = _start(request)
        response: HttpResponse = get_response(request)
        _add(request, response, perf_counter() - started)
        return response

    return middleware


def _start(request: HttpRequest) -> float:
    request.request_id = os.urandom(16).hex()  # type: ignore[attr-defined]
    return perf_counter()


def _add(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    route = match.route if match is not None else "unmatched"
    key = (request.method, route, response.status_code)
    with _lock:
        histogram = histograms.get(key)
        if histogram is None:
            histogram = histograms[key] = [0] * (len(BOUNDS) + 1)
        histogram[bisect(BOUNDS, seconds)] += 1
        if response.status_code >= 500:
            failures[route] = failures.get(route, 0) + 1
