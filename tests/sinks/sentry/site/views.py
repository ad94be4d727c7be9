"""Views that fail in every way, each with a secret wherever one can be."""

from __future__ import annotations

import logging

from django import forms
from django.http import HttpRequest, HttpResponse

from django_qaprod import Journey, Step, degrade, registry, serve_form

log = logging.getLogger("jobs.views")

#: Found nowhere but in the process that serves.
CANARY = "c4n4ry"

with registry.isolated():

    class Applying(Journey):
        started = Step()
        submitted = Step()


class ApplicationForm(forms.Form):
    name = forms.CharField()


@degrade(fallback=dict, severity="warning")
def prefill() -> dict[str, str]:
    raise _error(ConnectionError)


def raising(request: HttpRequest, word: str) -> HttpResponse:
    log.warning("token=%s", CANARY)
    raise _error(LookupError)


async def araising(request: HttpRequest, word: str) -> HttpResponse:
    raise _error(LookupError)


def degraded(request: HttpRequest, word: str) -> HttpResponse:
    Applying.started.record("17")
    log.warning("token=%s", CANARY)
    prefill()
    return HttpResponse("ok")


async def adegraded(request: HttpRequest, word: str) -> HttpResponse:
    prefill()
    return HttpResponse("ok")


def logging_error(request: HttpRequest, word: str) -> HttpResponse:
    log.error("no vacancy %d, password=%s", 3, CANARY)
    return HttpResponse("ok")


@serve_form(ApplicationForm, severity="critical")
def apply(request: HttpRequest, word: str) -> HttpResponse:
    if request.method == "POST":
        raise _error(OSError)
    return HttpResponse("ok")


def _error(kind: type[Exception]) -> Exception:
    words = f"from {__name__}"
    leaked = CANARY + words
    error = kind(f"password={CANARY}; https://jobs.example/reset/?key={leaked}")
    error.add_note(f"Authorization: Bearer {CANARY}")
    error.__cause__ = KeyError({"api_key": CANARY})
    return error
