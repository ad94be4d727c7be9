"""A request's ids come from its headers when they are well formed, and are made up when they are not."""

from __future__ import annotations

import re

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from django_qaprod import context
from django_qaprod.context import Context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def with_headers(**headers: str) -> Context:
    return Context(
        RequestFactory().get("/", headers={name.replace("_", "-"): value for name, value in headers.items()})
    )


@pytest.mark.parametrize(
    "traceparent",
    [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01-what-a-later-version-adds"],
)
def test_a_valid_traceparent_gives_the_ids(traceparent: str) -> None:
    found = with_headers(traceparent=traceparent)
    assert (found.trace_id, found.span_id, found.request_id) == (TRACE, SPAN, TRACE)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-version-00-has-no-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"01-{TRACE}-{SPAN}-01x",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_is_ignored(traceparent: str) -> None:
    request = RequestFactory().get("/")
    request.META["HTTP_TRACEPARENT"] = traceparent
    found = Context(request)
    assert (found.trace_id, found.span_id) == ("", "")
    assert found.request_id != TRACE


@pytest.mark.parametrize(
    "given", ["f6f1d1d0-8f3e-4c4e-9d5c-1f1f1f1f1f1f", "req_12345678", "a" * 128, "Root=1-67891233-abcdef"]
)
def test_a_valid_request_id_is_taken(given: str) -> None:
    assert with_headers(x_request_id=given).request_id == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "a" * 129,
        "with space",
        "line\nbreak",
        "<script>",
        "ünïcödé-12",
        "12345678\n",
        "a;b;c;d;e",
    ],
)
def test_an_invalid_request_id_is_replaced(given: str) -> None:
    request = RequestFactory().get("/")
    request.META["HTTP_X_REQUEST_ID"] = given
    assert re.fullmatch("[0-9a-f]{32}", Context(request).request_id)


def test_traceparent_wins_over_x_request_id() -> None:
    assert with_headers(traceparent=f"00-{TRACE}-{SPAN}-01", x_request_id="req_12345678").request_id == TRACE


def test_strangers_ids_can_be_distrusted(settings: Settings) -> None:
    settings.QAPROD = {"TRUST_REQUEST_ID": False}
    found = with_headers(traceparent=f"00-{TRACE}-{SPAN}-01", x_request_id="req_12345678")
    assert found.request_id not in {TRACE, "req_12345678"}
    assert found.trace_id == TRACE


def test_a_request_keeps_the_id_that_was_made_for_it() -> None:
    found = Context(RequestFactory().get("/"))
    assert found.request_id == found.request_id
    assert found.request_id != Context(RequestFactory().get("/")).request_id


def test_outside_a_request_there_is_an_id_and_nothing_else() -> None:
    found = Context()
    assert len(found.request_id) == 32
    assert (found.trace_id, found.method, found.route, found.browser) == ("", "", "", "")


def test_a_request_that_matched_no_pattern_has_no_path_for_a_label() -> None:
    assert Context(RequestFactory().get("/wp-login.php")).route == context.UNMATCHED


def test_the_context_before_comes_back() -> None:
    outer, inner = Context(), Context()
    first = context.enter(outer)
    second = context.enter(inner)
    assert context.current() is inner
    context.leave(second)
    assert context.current() is outer
    context.leave(first)
    assert context.current() is None
