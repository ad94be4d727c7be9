"""The measured views, for WSGI and, as native coroutines, for ASGI."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from itertools import count

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from .models import Vacancy

#: How often a step view takes its step in one transaction.
STEPS = 20

_number = count()


class SchoolMissingError(Exception):
    """What the error view raises."""


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


async def aplain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


def vacancy(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(Vacancy.objects.get(pk=pk).title)


async def avacancy(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse((await Vacancy.objects.aget(pk=pk)).title)


def broken(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_prefill(next(_number)))


async def abroken(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_prefill(next(_number)))


def kind(request: HttpRequest, number: int) -> HttpResponse:
    """Fail as nothing has failed before: each number in a module of its own (see ``workspace``)."""
    return HttpResponse(sys.modules[f"kinds.kind_{number}"].start())


def import_kinds(numbers: range) -> None:
    """Import what ``kind`` calls, so that the import is not measured."""
    for number in numbers:
        import_module(f"kinds.kind_{number}")


def step(request: HttpRequest, how: str) -> HttpResponse:
    """Take a step in a transaction, as the product does, as the ORM does, or by the bare statements."""
    take = _ways()[how]
    with transaction.atomic():
        for number in range(STEPS):
            take(number)
        transaction.set_rollback(True)
    return HttpResponse(b"ok")


def _ways():
    from . import steps

    return {"record": steps.record, "orm": steps.orm, "statements": steps.statements, "nothing": _nothing}


def _nothing(number: int) -> None:
    pass


def _prefill(number: int) -> str:
    return _school_of(f"Teacher {number}", number)


def _school_of(name: str, number: int) -> str:
    find = partial(_find, name)
    return find(number)


def _find(name: str, number: int) -> str:
    raise SchoolMissingError(f"vacancy {number} of {name!r} has no school")
