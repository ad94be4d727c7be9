"""What ``serve_form`` was told about a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..records import Severity

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from .rescue import Kept

Healing = Literal["by_hand", "after_deploy"]
#: A value, or what makes it of the request and the view's arguments.
Given = Any | Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """The options of ``serve_form``, checked; ``forms`` are form and formset classes by context name."""

    forms: Mapping[str, type[Any]]
    template: str = ""
    journey: str = ""
    name: str = ""
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
    thanks: str | Callable[[HttpRequest, Kept], HttpResponseBase] = ""
    replay: Healing = "by_hand"
