"""Records as events of spans, by the semantic conventions; what they have no name for is ``qaprod.*``.

https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ...records import EventRecord, FailureRecord
from ...text import clean

#: Characters of a stack trace.
MAX_STACKTRACE = 8_000

# As Python says it, between two exceptions of a chain.
_BETWEEN = {
    "cause": "\n\nThe above exception was the direct cause of the following exception:\n\n",
    "context": "\n\nDuring handling of the above exception, another exception occurred:\n\n",
    "group": "\n\nThe above exception is one of the following group:\n\n",
}


def of_exception(record: FailureRecord) -> dict[str, Any]:
    """Return the attributes of the event "exception"."""
    return {
        "exception.type": record.error_type,
        "exception.message": record.message,
        "exception.stacktrace": _stacktrace(record),
        **of_failure(record),
    }


def of_words(record: FailureRecord) -> dict[str, Any]:
    """Return the attributes of a failure for which there was no exception."""
    return {"qaprod.failure.message": record.message, **of_failure(record)}


def of_failure(record: FailureRecord) -> dict[str, Any]:
    """Return what we know of a failure beside the exception."""
    known = {
        "qaprod.occurrence.id": record.id,
        "qaprod.kind": record.kind,
        "qaprod.severity": record.severity,
        "qaprod.name": record.name,
        "qaprod.journey": record.journey,
    }
    return {key: value for key, value in known.items() if value}


def of_step(event: EventRecord) -> dict[str, Any]:
    """Return the attributes of a step; whose it is stays here."""
    known = {"qaprod.journey": event.journey, "qaprod.step": event.step, "qaprod.variant": event.variant}
    return {key: value for key, value in known.items() if value}


def _stacktrace(record: FailureRecord) -> str:
    return clean("".join(_parts(record)), MAX_STACKTRACE)


def _parts(record: FailureRecord) -> Iterator[str]:
    """Yield the chain as Python prints it: what came first at the top."""
    links = list(zip(record.chain, _frames(record.frames), strict=False))
    for link, frames in reversed(links):
        yield f"{frames}{link.error_type}: {link.message}"
        yield _BETWEEN.get(link.relation, "")


@lru_cache(maxsize=256)
def _frames(frames: str) -> list[str]:
    """Return the frames of each link as Python prints them. The same stack is the same text."""
    return ["".join(_lines(link)) for link in json.loads(frames)]


def _lines(frames: list[dict[str, Any]]) -> Iterator[str]:
    if frames:
        yield "Traceback (most recent call last):\n"
    for frame in frames:
        yield f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}\n'
        if code := frame.get("code", "").strip():
            yield f"    {code}\n"
