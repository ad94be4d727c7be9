"""What type checkers make of the decorators; read by mypy, run by nobody."""

from __future__ import annotations

from typing import assert_type

from django.http import HttpRequest, HttpResponse

from django_qaprod import CircuitBreaker, critical, degrade, report


class Teacher:
    @degrade(fallback="unknown")
    def profile(self, key: str, *, strict: bool = False) -> str:
        return key


@degrade(fallback=dict)
def prefill(teacher: Teacher) -> dict[str, str]:
    return {}


@degrade()
def count(number: int) -> int:
    return number


def in_words(error: Exception) -> str:
    return str(error)


@degrade(fallback=in_words)
def describe(number: int) -> int:
    return number


@degrade(
    "search", fallback=0, only=(ValueError, KeyError), breaker=CircuitBreaker(trip_after=3, retry_after=30)
)
async def search(words: str) -> int:
    return len(words)


async def later(error: Exception) -> str:
    return str(error)


@degrade(fallback=later)
async def asearch(words: str) -> int:
    return len(words)


@critical(journey="job_application")
def view(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(pk)


@critical()
async def aview(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def use(request: HttpRequest) -> None:
    assert_type(Teacher().profile("a", strict=True), str)
    assert_type(prefill(Teacher()), dict[str, str])
    assert_type(count(1), int | None)
    assert_type(describe(1), int | str)
    assert_type(await search("a"), int)
    assert_type(await asearch("a"), int | str)
    assert_type(view(request, 1), HttpResponse)
    assert_type(await aview(request), HttpResponse)
    with degrade("school search") as section:
        pass
    assert_type(section.failed, bool)
    assert_type(section.error, Exception | None)
    async with degrade(
        "school search", severity="warning", journey="job_application", reraise=False
    ) as section:
        pass
    assert_type(report(ValueError(), name="import", severity="info"), str | None)

    count("1")  # type: ignore[arg-type]
    prefill()  # type: ignore[call-arg]
    view(request, "1")  # type: ignore[arg-type]
    degrade(severity="bad")  # type: ignore[call-overload]
    degrade(only=KeyboardInterrupt)  # type: ignore[arg-type]
    degrade(unknown=1)  # type: ignore[call-overload]
