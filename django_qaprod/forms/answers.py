"""What a view answers: whether it is an answer at all, and when it is rendered."""

from __future__ import annotations

from asyncio import iscoroutine
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from ..pipeline import guard


def checked(response: Any, name: str) -> Any:
    """Return what a view answered, if it is a response; else raise what Django raises later, or not at all.

    Here the visitor can be helped, and the work undone.
    """
    if isinstance(response, HttpResponseBase):
        return response
    if iscoroutine(response):
        response.close()
    # Not what it is: that may be what the visitor has sent.
    raise TypeError(
        f"The view {name} returned {type(response).__name__} instead of an HttpResponse: return a response, "
        "and put decorators that make one beneath serve_form."
    )


def can_render(response: Any) -> bool:
    """Whether it is a template that has not been rendered yet."""
    return callable(getattr(response, "render", None)) and not getattr(response, "is_rendered", False)


def after_render(response: Any, served: HttpResponseBase) -> HttpResponseBase:
    """Do to the page that is served what decorators meant to do to the one that failed."""
    for callback in getattr(response, "_post_render_callbacks", ()):
        # It may be what failed: a cache that does not answer.
        with guard.guard("forms.callback"), guard.theirs():
            served = callback(served) or served
    return served


@cache
def late_middleware() -> bool:
    """Whether the host's middleware wants to see what a template is given, before it is rendered."""
    return any(
        hasattr(import_string(path), "process_template_response") for path in django_settings.MIDDLEWARE
    )


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "MIDDLEWARE":
        late_middleware.cache_clear()


setting_changed.connect(_forget, dispatch_uid="qaprod.answers")
