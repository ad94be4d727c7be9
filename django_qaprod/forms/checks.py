"""System checks of what is served whatever goes wrong: its keys, its views, its fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse

from .. import conf, vault
from ..pipeline import guard
from .mixin import ServeFormMixin
from .options import told_of
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
        return told_of(self.view)

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
        yield from _private(route)
        yield from _thanks(route)
        yield from _template(route)
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
    if conf.settings().rescue_keys or not rescues_anything():
        return
    yield Warning(
        "There are views with serve_form, and no keys: nothing that is sent to them while they fail can be "
        "kept.",
        hint=f"Set QAPROD['RESCUE_KEYS'] to a list of keys, kept like SECRET_KEY. {vault.MAKE_A_KEY}",
        id="qaprod.W011",
    )


def rescues_anything() -> bool:
    """Whether a view of the URLconf keeps what is sent to it while it fails."""
    return any(_rescues(route) for route in _routes())


def _keys() -> Messages:
    for position in vault.bad_keys():
        yield Error(
            f"QAPROD['RESCUE_KEYS'][{position}] is no key; it is left out.",
            hint=vault.MAKE_A_KEY,
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


def _private(route: Route) -> Messages:
    """Tell of names that are meant to keep a field from being stored, and are no field's."""
    if not route.options or not route.options.rescue:
        return
    forms = _forms(route)
    known = {name for form in forms for name in _names(form)}
    wanted = [(name, "private=…") for name in route.options.private if forms and name not in known]
    for form in forms:
        own = getattr(getattr(form, "form", form), "qaprod_private", ())
        wanted += [
            (name, f"qaprod_private of {form.__qualname__}") for name in own if name not in _names(form)
        ]
    for name, said in wanted:
        # A form may add fields to itself when it is made.
        sure = not any(_has_own_init(form) for form in forms)
        yield (Error if sure else Warning)(
            f"{route}: {said} names {name!r}, and the form has no such field"
            + (". " if sure else ", unless it is added when the form is made. ")
            + "What it was meant to keep out is stored.",
            hint=f"The fields are {', '.join(sorted(name for name in known if '__prefix__' not in name))}.",
            id="qaprod.E023" if sure else "qaprod.W024",
        )


def _thanks(route: Route) -> Messages:
    given = route.options.thanks if route.options else ""
    # With one of these it is an address for Django, too, if no route has that name.
    if not isinstance(given, str) or not given or "/" in given or "." in given:
        return
    try:
        reverse(given)
    except NoReverseMatch:
        yield Error(
            f"{route}: thanks={given!r} is the name of no route that needs no arguments. Whoever sends "
            "something that is kept gets our own page instead.",
            hint="Name it as reverse() does, with its namespaces, or give a function of the request and of "
            "what is kept that makes the response.",
            id="qaprod.E024",
        )


def _template(route: Route) -> Messages:
    given = route.options.template if route.options else ""
    missing = False
    if given:
        # What else is wrong with it is for whoever renders it.
        with guard.guard("checks"):
            missing = _is_missing(given)
    if missing:
        yield Warning(
            f"{route}: there is no template {given!r}. The plain page is served instead.",
            hint="Name it as your own view does.",
            id="qaprod.W025",
        )


def _is_missing(template: str) -> bool:
    try:
        get_template(template)
    except TemplateDoesNotExist as error:
        # One that it extends or includes may be another's to find.
        return str(error) == template
    except TemplateSyntaxError:
        pass
    return False


def _forms(route: Route) -> list[Any]:
    """Return the form and formset classes that can be known before there is a request."""
    view_class = getattr(route.view, "view_class", None)
    if route.options is None or route.options.forms or view_class is None:
        return list(route.options.forms.values()) if route.options is not None else []
    if view_class.get_served_forms is not ServeFormMixin.get_served_forms:
        return []
    asked = getattr(view_class, "get_form_class", None)
    given = getattr(route.view, "view_initkwargs", {}).get("form_class") or getattr(
        view_class, "form_class", None
    )
    return [given] if given is not None and getattr(asked, "__module__", "").startswith("django.") else []


def _names(form: Any) -> set[str]:
    with guard.guard("checks"):
        return {name for found in names_of(form) for name in (found.name, found.html_name)}
    return set()


def _has_own_init(form: Any) -> bool:
    init = getattr(form, "form", form).__init__
    return not getattr(init, "__module__", "").startswith("django.")


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
