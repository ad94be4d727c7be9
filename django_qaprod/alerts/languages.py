"""What is said in the language of the site, whatever a translation makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.utils import translation

T = TypeVar("T")


def spoken(say: Callable[[], T]) -> T:
    """Return what something comes to, whose sentences are English where those of the language do not fit.

    A catalogue of the host's may have other placeholders than our sentence has: that is no reason to tell
    nobody. What fails in English as well raises.
    """
    try:
        return say()
    except (KeyError, ValueError, TypeError):
        with translation.override(None):
            return say()
