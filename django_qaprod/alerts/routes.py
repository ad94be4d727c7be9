"""``Route``: which alerts go to which channels, declared beside the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .. import registry
from ..exceptions import DeclarationError
from ..journeys import Journey
from ..registry import SEVERITIES
from ..specs import RouteSpec

if TYPE_CHECKING:
    from ..records import Severity

_MAX_NAME = 150


class Route:
    """Alerts that match its conditions go to the channels ``to``, and to no later route unless ``further``.

    Of a ``severity`` of at least that; ``journeys`` and ``rules`` match any if they are left out; ``hours``
    says when it is open. Who has not acknowledged after ``escalate_after`` is helped by ``escalate_to``.
    Registers itself, behind those that are declared already.

    Raises ``DeclarationError`` for what leads nowhere.
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        to: Iterable[str],
        severity: Severity = "info",
        journeys: Iterable[type[Journey] | str] = (),
        rules: Iterable[str] = (),
        hours: Callable[[datetime], bool] | None = None,
        escalate_after: timedelta | None = None,
        escalate_to: Iterable[str] = (),
        further: bool = False,
    ) -> None:
        _refuse(name, severity, hours)
        self.spec = RouteSpec(
            name=name,
            to=_names(name, "to", to),
            severity=severity,
            journeys=tuple(_journey(name, journey) for journey in _several(name, "journeys", journeys)),
            rules=_names(name, "rules", rules),
            hours=hours,
            escalate_after=_after(name, escalate_after),
            escalate_to=_names(name, "escalate_to", escalate_to),
            further=further,
        )
        if not self.spec.to:
            raise DeclarationError(f'Route({name!r}, to=…) names a channel: to=("mail",).')
        if bool(self.spec.escalate_after) != bool(self.spec.escalate_to):
            raise DeclarationError(f"Route({name!r}) takes escalate_after= and escalate_to= together.")
        registry.register_route(self.spec)

    def __repr__(self) -> str:
        return f"<Route {self.spec.name!r}>"


def _refuse(name: Any, severity: Any, hours: Any) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
        raise DeclarationError(f"A route has a name of at most {_MAX_NAME} characters, not {name!r}.")
    if severity not in SEVERITIES:
        raise DeclarationError(f"Route({name!r}, severity=…) is one of {', '.join(SEVERITIES)}.")
    if hours is not None and not callable(hours):
        raise DeclarationError(f"Route({name!r}, hours=…) is WorkingHours(…) or a function of a moment.")


def _several(name: str, key: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str):
        raise DeclarationError(f'Route({name!r}, {key}=…) is a tuple: {key}=("{given}",).')
    try:
        return tuple(given)
    except TypeError as error:
        raise DeclarationError(f"Route({name!r}, {key}=…) is a tuple, not {given!r}.") from error


def _names(name: str, key: str, given: Any) -> tuple[str, ...]:
    for one in (names := _several(name, key, given)):
        if not isinstance(one, str) or not one:
            raise DeclarationError(f"Route({name!r}, {key}=…) are names, not {one!r}.")
    return names


def _journey(name: str, given: Any) -> str:
    if isinstance(given, str) and given:
        return given
    spec = getattr(given, "spec", None)
    if isinstance(given, type) and issubclass(given, Journey) and spec is not None:
        return str(spec.name)
    raise DeclarationError(f"Route({name!r}, journeys=…) are journeys or their names, not {given!r}.")


def _after(name: str, given: Any) -> float:
    if given is None:
        return 0.0
    if not isinstance(given, timedelta) or given <= timedelta(0):
        raise DeclarationError(f"Route({name!r}, escalate_after=…) is a timedelta above zero, not {given!r}.")
    return given.total_seconds()
