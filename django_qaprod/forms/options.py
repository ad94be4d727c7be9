"""What ``serve_form`` was told about a view, checked when it is told."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from django.db.models import Model, QuerySet
from django.forms import BaseForm, BaseFormSet
from django.utils.functional import Promise

from ..conf import reraising
from ..degradation.declaration import exception_types, journey_name
from ..degradation.degrading import MEANT_FOR_DJANGO, Types
from ..exceptions import DeclarationError
from ..registry import SEVERITIES

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from ..records import Severity
    from .rescue import Kept

    #: A form or formset class, or several by the names that the template knows them by.
    Form = type[BaseForm | BaseFormSet[Any]]
    Forms = Form | Mapping[str, Form]
    Thanks = str | Callable[[HttpRequest, Kept], HttpResponseBase]

Healing = Literal["by_hand", "after_deploy"]
#: A value, or what makes it of the request and the view's arguments.
Given = Any | Callable[..., Any]
_HEALING = ("by_hand", "after_deploy")


class Options(TypedDict, total=False):
    """The options of ``serve_form`` besides the form."""

    template: str
    journey: object
    name: str
    title: Given
    form_name: str
    initial: Given
    instance: Given
    form_kwargs: Given
    context: Given
    only: Types
    excluding: Types
    severity: Severity
    reraise: bool | None
    atomic: bool
    rescue: bool
    private: Iterable[str]
    session: Iterable[str]
    keys: Iterable[str]
    subject: Given
    thanks: Thanks
    replay: Healing


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """The options of ``serve_form``, checked; ``forms`` are form and formset classes by context name."""

    forms: Mapping[str, type[Any]]
    template: str = ""
    journey: str = ""
    name: str = ""
    title: Given = ""
    initial: Given = None
    instance: Given = None
    form_kwargs: Given = None
    context: Given = None
    subject: Given = None
    only: tuple[type[Exception], ...] = ()
    excluding: tuple[type[Exception], ...] = ()
    severity: Severity = "error"
    reraise: bool | None = None
    atomic: bool = True
    rescue: bool = True
    private: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    thanks: Thanks = ""
    replay: Healing = "by_hand"

    def swallows(self, error: Exception) -> bool:
        """Whether the visitor is served the form for it; else it means something, and passes."""
        if self.only:
            return isinstance(error, self.only) and not isinstance(error, self.excluding)
        return not isinstance(error, MEANT_FOR_DJANGO + self.excluding)

    @property
    def reraises(self) -> bool:
        """Whether the developer gets to see the error."""
        return reraising() if self.reraise is None else self.reraise


def told_of(view: Any) -> ServeOptions | None:
    """Return what ``serve_form`` or the mixin was told about a view, if one of them serves it."""
    options: ServeOptions | None = getattr(view, "_qaprod_serves", None)
    return options or getattr(getattr(view, "view_class", None), "_qaprod_serves", None)


def options_of(form: Forms | None, given: Options) -> ServeOptions:
    """Return the options, checked. Without ``form`` the view itself will tell which it is.

    Raises ``DeclarationError`` for what could only go wrong when it is needed.
    """
    unknown = set(given) - Options.__annotations__.keys()
    if unknown:
        raise DeclarationError(f"serve_form has no option {', '.join(sorted(unknown))}.")
    values: dict[str, Any] = {**given, "forms": _forms(form, given.get("form_name", "form"))}
    values.pop("form_name", None)
    _check_choices(values)
    _refuse_shared(values)
    for option in ("only", "excluding"):
        values[option] = exception_types(values[option], option) if values.get(option) else ()
    for option in ("private", "session", "keys"):
        values[option] = _names(values.get(option, ()), option)
    _refuse_secrets(values["keys"], values["private"])
    values["journey"] = journey_name(values["journey"], "serve_form") if values.get("journey") else ""
    return ServeOptions(**values)


def _forms(form: Any, form_name: Any) -> dict[str, type[Any]]:
    if form is None:
        return {}
    named = dict(form) if isinstance(form, Mapping) else {form_name: form}
    for name, form_class in named.items():
        if not isinstance(name, str) or not name:
            raise DeclarationError(f"A form's name is what its template calls it, not {name!r}.")
        if not isinstance(form_class, type) or not issubclass(form_class, (BaseForm, BaseFormSet)):
            raise DeclarationError(
                f"serve_form takes a form or formset class, not {form_class!r}: @serve_form(TheForm, …)."
            )
    return named


def _check_choices(values: Mapping[str, Any]) -> None:
    if values.get("severity", "error") not in SEVERITIES:
        raise DeclarationError(f"severity is one of {', '.join(SEVERITIES)}, not {values['severity']!r}.")
    if values.get("replay", "by_hand") not in _HEALING:
        raise DeclarationError(f"replay is one of {', '.join(_HEALING)}, not {values['replay']!r}.")
    thanks = values.get("thanks", "")
    if not isinstance(thanks, str) and not callable(thanks):
        raise DeclarationError(f"thanks is a URL, its name, or what makes a response, not {thanks!r}.")
    title = values.get("title", "")
    if not isinstance(title, (str, Promise)) and not callable(title):
        raise DeclarationError(f"title is text, or a function that makes it, not {title!r}.")
    for option in ("template", "name"):
        if not isinstance(values.get(option, ""), str):
            raise DeclarationError(f"{option} is a string, not {values[option]!r}.")


def _refuse_shared(values: Mapping[str, Any]) -> None:
    """Refuse what one request would leave changed for the next: validation fills an instance in."""
    for option in ("instance", "form_kwargs", "context", "subject"):
        given = values.get(option)
        for value in given.values() if isinstance(given, Mapping) else (given,):
            if isinstance(value, (Model, QuerySet)):
                raise DeclarationError(
                    f"{option}: all requests would share one {type(value).__name__}; "
                    f"write {option}=lambda request, **kwargs: …."
                )


def _refuse_secrets(keys: Iterable[str], private: Container[str]) -> None:
    for key in keys:
        # Not at every start of the host.
        from ..pipeline.scrub import is_secret_key

        if key in private or is_secret_key(key):
            raise DeclarationError(f"keys: {key!r} is never stored, because of what it is called.")


def _names(given: Any, option: str) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise DeclarationError(f"{option} takes several names, in a tuple or list, not {given!r}.")
    return tuple(given)
