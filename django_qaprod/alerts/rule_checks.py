"""System checks of rules and routes: what they name exists, and what they say can come true."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeGuard

from django.core.checks import CheckMessage, Warning  # noqa: A004 - Django's names
from django.urls import URLResolver, get_resolver

from .. import registry
from ..context import UNMATCHED
from ..expectations import checks as expectations
from ..models import Alert
from ..queries.reach import never
from ..specs import Measure
from ..store.alerts import RANKS
from .telling import matches

Hours = Callable[[datetime], bool]


def check() -> Iterator[CheckMessage]:
    """Yield what keeps a rule from firing, or a route from matching."""
    for spec in registry.rules():
        if why := never(spec):
            yield Warning(
                f"The rule {spec.name!r} can never fire: {why}.",
                hint="Change its numbers, or remove it.",
                id="qaprod.W031",
            )
    yield from _names()
    yield from _routes()
    yield from _untold()
    yield from _holidays()


def _names() -> Iterator[CheckMessage]:
    rules, routes = registry.rules(), registry.routes()
    known = {
        "rule": [spec.name for spec in rules],
        "journey": [spec.name for spec in registry.journeys()],
        "expectation": [spec.name for spec in registry.expectations()],
    }
    naming = [(f"The rule {spec.name!r}", "rule", spec.inhibited_by) for spec in rules]
    naming += [(f"The route {route.name!r}", "rule", route.rules) for route in routes]
    naming += [(f"The route {route.name!r}", "journey", route.journeys) for route in routes]
    watched = [(spec.name, one.name) for spec in rules for one in (spec.of, spec.per) if _is_breaches(one)]
    naming += [(f"The rule {rule!r}", "expectation", (name,)) for rule, name in watched if name]
    for words, kind, names in naming:
        for name in names:
            if name not in known[kind]:
                close = difflib.get_close_matches(name, known[kind], n=1)
                yield Warning(
                    f"{words} names the {kind} {name!r}, which does not exist.",
                    hint=f"Did you mean {close[0]!r}?" if close else "Name one that is declared.",
                    id="qaprod.W030",
                )


def _routes() -> Iterator[CheckMessage]:
    watched = [
        (spec.name, one.name)
        for spec in registry.rules()
        for one in (spec.of, spec.per)
        if one is not None and one.kind == "requests" and one.name not in {"", UNMATCHED}
    ]
    known = dict(_patterns(get_resolver())) if watched else {}
    for rule, route in dict.fromkeys(watched):
        if route in known or route.lstrip("^") in {one.lstrip("^") for one in known}:
            continue
        meant = next((one for one, name in known.items() if name and route.rpartition(":")[2] == name), "")
        close = [meant] if meant else difflib.get_close_matches(route, known, n=1)
        yield Warning(
            f"The rule {rule!r} watches the route {route!r}, which no URL pattern has.",
            hint=f"A route is named by its whole pattern, {close[0] if close else 'orders/<int:pk>/'!r}.",
            id="qaprod.W034",
        )


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the routes of all URL patterns as requests name them, each with the pattern's own name."""
    for one in resolver.url_patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _patterns(one, route)
        else:
            yield route or "/", one.name or ""


def _is_breaches(measure: Measure | None) -> TypeGuard[Measure]:
    return measure is not None and measure.kind == "breaches"


def _untold() -> Iterator[CheckMessage]:
    """Yield the rules of which no route tells; that what is no error is in the admin alone may be meant."""
    routes = registry.routes()
    for spec in registry.rules() if routes else ():
        alert = Alert(rule=spec.name, severity=spec.severity, journey=spec.journey)
        if spec.to or RANKS[spec.severity] > RANKS["error"]:
            continue
        if not any(matches(route, alert) for route in routes):
            yield Warning(
                f"No route takes the alerts of the rule {spec.name!r}: nobody is told.",
                hint='Declare one behind the others that takes the rest: alerts.Route("all", to=("mail",)).',
                id="qaprod.W033",
            )


def _holidays() -> Iterator[CheckMessage]:
    given: list[tuple[str, object]] = [
        *((f"rule {spec.name!r}", spec.hours) for spec in registry.rules()),
        *((f"rule {spec.name!r}", spec.holidays) for spec in registry.rules()),
        *((f"route {route.name!r}", route.hours) for route in registry.routes()),
    ]
    for whose, known in given:
        yield from expectations.holidays(whose, known)
