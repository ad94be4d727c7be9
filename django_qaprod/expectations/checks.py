"""System checks of expectations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.core.checks import CheckMessage, Error

from .. import registry
from .working_time import WorkingTime


def check() -> Iterator[CheckMessage]:
    """Yield what keeps an expectation from being looked at."""
    for spec in registry.expectations():
        working = getattr(spec.due, "__self__", None)
        if not isinstance(working, WorkingTime) or callable(working.holidays) or not working.holidays:
            continue
        try:
            working.is_holiday(date(2025, 1, 1))
        except (NotImplementedError, ImportError) as error:
            yield Error(
                f"The holidays of the expectation {spec.name!r} are not known: {error}",
                hint='Give a code that the library holidays has, as holidays="GB" or "GB-ENG".',
                id="qaprod.E026",
            )
