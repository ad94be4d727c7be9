"""Unhandled exceptions, by Django's own signal."""

from __future__ import annotations

import sys
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest

from .. import context
from ..pipeline.guard import guarded
from . import failures

#: The mark of a request of which an unhandled exception was recorded.
RAISED = "_qaprod_raised"


def install() -> None:
    """Listen for exceptions that no view handled."""
    got_request_exception.connect(_on_request_exception, dispatch_uid="qaprod.unhandled")


# A receiver that raises would escape the whole application: Django sends this signal outside any protection.
@guarded("capture.exception")
def _on_request_exception(*, request: HttpRequest | None = None, **kwargs: Any) -> None:
    error = sys.exc_info()[1]
    if error is None:
        return
    if request is not None:
        # For Django's word on the response, which need not name the error.
        vars(request)[RAISED] = True
    if context.current() is not None or request is None:
        report_unhandled(error)
        return
    # The host runs without our middleware: what the request tells is still known.
    token = context.enter(context.Context(request))
    try:
        report_unhandled(error)
    finally:
        context.leave(token)


@guarded("capture.exception")
def report_unhandled(error: BaseException) -> None:
    """Report an error that became a 500, or broke a response that was under way."""
    current = context.current()
    critical = current is not None and current.critical
    failures().report_exception(error, kind="unhandled", severity="critical" if critical else "error")
