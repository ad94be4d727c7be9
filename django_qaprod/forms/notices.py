"""What visitors are told on a page that is not what it should be."""

from __future__ import annotations

from enum import Enum

from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _


class Notice(Enum):
    """Why the page is not as usual, as (kind, title, text)."""

    kind: str
    title: Promise
    text: Promise

    MISSING = (
        "missing",
        _("Something on this page is missing"),
        _("We have a technical problem and are working on it. You can send the form all the same."),
    )
    ERRORS = (
        "errors",
        _("Please look at the form again"),
        _("Some of it has to be corrected before you can send it. What you typed is still here."),
    )
    NOT_KEPT = (
        "not-kept",
        _("What you sent has not been received"),
        _(
            "We have a technical problem and are working on it. What you typed is still here: please send it"
            " again in a few minutes. Files and passwords have to be given again."
        ),
    )
    NOT_READ = (
        "not-read",
        _("What you sent has not been received"),
        _("We have a technical problem and are working on it. Please send the form again in a few minutes."),
    )

    def __init__(self, kind: str, title: Promise, text: Promise) -> None:
        self.kind = kind
        self.title = title
        self.text = text


class Placed:
    """A notice's HTML that knows whether a template has shown it."""

    def __init__(self, html: str) -> None:
        self._html = mark_safe(html)  # noqa: S308 - rendered by a template
        self.shown = False

    def __html__(self) -> SafeString:
        self.shown = True
        return self._html

    def __str__(self) -> str:
        return self.__html__()
