"""System checks of what is served whatever goes wrong: its keys, its views, its fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names
from django.urls import URLPattern, get_resolver

from .. import conf, vault
from ..pipeline import guard
from .privacy import names_of

if TYPE_CHECKING:
    from .options import ServeOptions

Messages = Iterator[CheckMessage]

_SERVING = f"{__package__}.serving"
# Where the functions live that ask for a permission.
_ACCESS = frozenset(
    {"django.contrib.auth.decorators", "guardian.decorators", "rules.contrib.views", "allauth.decorators"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A view of the URLconf, and the name of its route with its namespaces."""

    name: str
    view: Any

    @property
    def options(self) -> ServeOptions | None:
        """What ``serve_form`` or ``ServeFormMixin`` was told, if the view is served by one."""
        found = getattr(self.view, "_qaprod_serves", None)
        options: ServeOptions | None = found or getattr(
            getattr(self.view, "view_class", None), "_qaprod_serves", None
        )
        return options

    def __str__(self) -> str:
        view = getattr(self.view, "view_class", self.view)
        return f"{view.__module__}.{getattr(view, '__qualname__', type(view).__qualname__)}"


def check_always() -> Messages:
    """Yield what is wrong."""
    yield from _keys()
    routes = _routes()
    served = [route for route in routes if route.options is not None]
    yield from _early(routes)
    for route in served:
        yield from _access(route)
        yield from _fields(route)
    if served and django_settings.CSRF_USE_SESSIONS:
        yield Warning(
            "CSRF_USE_SESSIONS is on: a form that is served while the sessions cannot be read carries no "
            "valid token, so what is typed into it is refused.",
            hint="Leave CSRF_USE_SESSIONS off, so that the token is in a cookie, or keep sessions where no "
            "database is needed.",
            id="qaprod.W013",
        )


def check_deployment() -> Messages:
    """Yield what matters in production alone."""
    if conf.settings().rescue_keys or not any(_rescues(route) for route in _routes()):
        return
    yield Warning(
        "There are views with serve_form, and no keys: nothing that is sent to them while they fail can be "
        "kept.",
        hint="Set QAPROD['RESCUE_KEYS'] to a list of keys as cryptography's Fernet.generate_key() makes "
        "them, kept like SECRET_KEY.",
        id="qaprod.W011",
    )


def _keys() -> Messages:
    for position in vault.bad_keys():
        yield Error(
            f"QAPROD['RESCUE_KEYS'][{position}] is no key; it is left out.",
            hint="Make one: python -c 'from cryptography.fernet import Fernet; "
            "print(Fernet.generate_key().decode())'.",
            id="qaprod.E013",
        )


def _early(routes: list[Route]) -> Messages:
    served = {route.name for route in routes if route.options is not None}
    known = {route.name for route in routes}
    chosen = conf.settings().serve_early
    for name in chosen:
        if name not in served:
            wrong = "has no serve_form" if name in known else "is the name of no route"
            yield Error(
                f"QAPROD['SERVE_EARLY']: {name!r} {wrong}; nothing is served there before the view.",
                hint="Name routes as reverse() does, with their namespaces, whose views have serve_form.",
                id="qaprod.E012",
            )
    if chosen and django_settings.CSRF_USE_SESSIONS:
        yield Warning(
            "QAPROD['SERVE_EARLY'] serves forms when the middleware has failed, and CSRF_USE_SESSIONS keeps "
            "their token in a session that is not there then: what is typed into them is refused.",
            hint="Leave CSRF_USE_SESSIONS off, or SERVE_EARLY empty.",
            id="qaprod.W014",
        )


def _access(route: Route) -> Messages:
    """Warn where what asks for a permission stands below ``serve_form``: when it fails, the form is open."""
    below = False
    for function in _layers(route.view):
        home = getattr(function, "__globals__", {}).get("__name__")
        if below and home in _ACCESS:
            yield Warning(
                f"serve_form stands above the decorator that controls the access to {route}: when asking for "
                "the permission fails, the form is served to everybody.",
                hint="Write what controls access above @serve_form(…).",
                id="qaprod.W012",
            )
            return
        below = below or home == _SERVING


def _fields(route: Route) -> Messages:
    options = route.options
    if options is None or not options.rescue:
        return
    names = []
    # A form of the host's may want to be asked in its own way.
    with guard.guard("checks"):
        names = [name for form in options.forms.values() for name in names_of(form, private=options.private)]
    never = sorted({name.name for name in names if name.private and name.required})
    if never:
        yield Warning(
            f"Nothing that is sent to {route} can be kept when it fails: required, but never stored, are "
            f"{', '.join(never)}.",
            hint="If the name alone sounds like a secret's, list it in the form's qaprod_kept; if it is one, "
            "say serve_form(…, rescue=False).",
            id="qaprod.W015",
        )


def _rescues(route: Route) -> bool:
    return route.options is not None and route.options.rescue


def _layers(view: Any) -> Iterator[Any]:
    """Yield a view's decorators from the outside, as far as they have used ``functools.wraps``."""
    while view is not None:
        yield view
        view = getattr(view, "__wrapped__", None)


def _routes() -> list[Route]:
    # Django's own checks tell what is wrong with a URLconf.
    with guard.guard("checks"):
        if getattr(django_settings, "ROOT_URLCONF", None):
            return list(_walk(get_resolver().url_patterns, ""))
    return []


def _walk(patterns: Any, namespace: str) -> Iterator[Route]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield Route(name=f"{namespace}{pattern.name or ''}", view=pattern.callback)
        else:
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, inner)
