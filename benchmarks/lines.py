"""``python -m benchmarks.lines``: what a line of the log costs, by formatter, beside what others take for it.

Formatting alone, in CPU: bursts in turn, the lowest decile of each. ``ecs-logging`` and
``python-json-logger`` are measured where they are installed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from time import process_time_ns

import django
from django.conf import settings

from .quantiles import lowest_decile

BURSTS = 100
LINES = 200
PLAIN = "%(asctime)s %(levelname)s %(name)s %(message)s"
PEERS: dict[str, tuple[str, Callable[..., logging.Formatter]]] = {
    "ecs-logging": ("ecs_logging", lambda module: module.StdlibFormatter()),
    "python-json-logger": (
        "pythonjsonlogger",
        lambda module: import_module("pythonjsonlogger.json").JsonFormatter(
            "{asctime}{levelname}{name}{message}", style="{"
        ),
    ),
}
Make = Callable[[], logging.LogRecord]


def main() -> None:
    """Measure, and print a table."""
    settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        SECRET_KEY="x",
        QAPROD={"RELEASE": "2025.11.1"},
    )
    django.setup()
    formatters = _formatters()
    outside = _measure(formatters, _line)
    with _request():
        inside, extras, errors = (_measure(formatters, make) for make in (_line, _with_extras, _with_error))
    print("| µs a line | outside a request | in one | with two extras | with an exception |")
    print("|---|---|---|---|---|")
    for name in formatters:
        print(
            f"| {name} | {outside[name]:.1f} | {inside[name]:.1f} | {extras[name]:.1f} | {errors[name]:.0f} |"
        )


def _formatters() -> dict[str, logging.Formatter]:
    from django_qaprod.logs import ConsoleFormatter, JSONFormatter, KeyValueFormatter

    return {
        "`logging.Formatter`": logging.Formatter(PLAIN),
        '`JSONFormatter(fields="otel")`': JSONFormatter(),
        '`JSONFormatter(fields="ecs")`': JSONFormatter(fields="ecs"),
        "`KeyValueFormatter`": KeyValueFormatter(),
        "`ConsoleFormatter`": ConsoleFormatter(colours=False),
        **{name: make(import_module(module)) for name, (module, make) in PEERS.items() if find_spec(module)},
    }


def _measure(formatters: dict[str, logging.Formatter], make: Make) -> dict[str, float]:
    bursts: dict[str, list[float]] = {name: [] for name in formatters}
    for _ in range(BURSTS):
        for name, formatter in formatters.items():
            records = [make() for _ in range(LINES)]
            begun = process_time_ns()
            for record in records:
                formatter.format(record)
            bursts[name].append((process_time_ns() - begun) / LINES / 1000)
    return {name: lowest_decile(found) for name, found in bursts.items()}


def _line(extra: dict[str, object] | None = None, error: Exception | None = None) -> logging.LogRecord:
    return logging.getLogger("jobs.views").makeRecord(
        "jobs.views",
        logging.INFO,
        __file__,
        1,
        "application %d of vacancy %d has been submitted by the teacher",
        (4711, 12),
        (type(error), error, error.__traceback__) if error is not None else None,
        extra=extra,
    )


def _with_extras() -> logging.LogRecord:
    return _line({"vacancy": 12, "form": "the short one"})


def _with_error() -> logging.LogRecord:
    try:
        try:
            raise ConnectionError("the profile service refuses")
        except ConnectionError as error:
            raise LookupError("no profile of 4711") from error
    except LookupError as error:
        return _line(error=error)


@contextmanager
def _request() -> Iterator[None]:
    from django.contrib.auth.models import AnonymousUser
    from django.test import RequestFactory
    from django.urls import ResolverMatch

    from django_qaprod import context

    request = RequestFactory().get("/vacancies/12/apply/", headers={"x-request-id": "0123456789abcdef"})
    request.resolver_match = ResolverMatch(_line, (), {}, route="vacancies/<int:pk>/apply/")
    request.user = AnonymousUser()
    current = context.Context(request)
    current.journey, current.subject = "job_application", "4711"
    token = context.enter(current)
    try:
        yield
    finally:
        context.leave(token)


if __name__ == "__main__":
    main()
