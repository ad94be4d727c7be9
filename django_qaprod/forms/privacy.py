"""Which fields of a form may be kept of what a visitor sends, and how a request names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.forms import Field, FileField, Widget
from django.forms.formsets import BaseFormSet

from ..pipeline import scrub

# https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#autofill-field
_SECRET_AUTOFILL = re.compile(r"(?:^|\s)(?:cc-\S+|current-password|new-password|one-time-code)(?:\s|$)")
_PHONE_AUTOFILL = re.compile(r"(?:^|\s)tel(?:-\S+)?(?:\s|$)")
_PHONE_NAME = re.compile(r"phone|mobile|(?<![a-z])(?:tel|fax|gsm|whatsapp)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldName:
    """A field of a form, as a request names it.

    ``name`` is the field's own, without the form's prefix. ``private`` is never stored; where it is
    ``required``, too, what was sent cannot be kept whole. In a ``phone`` number nobody looks for a card.
    """

    html_name: str
    name: str = ""
    private: bool = False
    required: bool = False
    is_file: bool = False
    phone: bool = False


def names_of(form: Any, *, private: Collection[str] = ()) -> list[FieldName]:
    """Return the fields of a form, a formset, or of the class of one.

    ``private`` names fields that are never stored, besides those in the form's own ``qaprod_private``; those
    in its ``qaprod_kept`` may be stored although their names sound like a secret's.
    """
    return list(_names_of(form, frozenset(private)))


def describe(
    name: str, field: Field, *, html_name: str = "", private: Collection[str] = (), kept: Collection[str] = ()
) -> FieldName:
    """Return what there is to know of one field."""
    html_name = html_name or name
    widgets = list(_widgets(field.widget))
    autofill = " ".join(str(widget.attrs.get("autocomplete", "")) for widget in widgets).lower()
    secret = (
        name in private
        or html_name in private
        or has_password(field.widget)
        or _SECRET_AUTOFILL.search(autofill) is not None
        or (name not in kept and scrub.is_secret_key(name))
    )
    phone = (
        any(getattr(widget, "input_type", "") == "tel" for widget in widgets)
        or _PHONE_AUTOFILL.search(autofill) is not None
        or _PHONE_NAME.search(name) is not None
    )
    return FieldName(
        html_name=html_name,
        name=name,
        private=secret,
        required=field.required and not field.disabled,
        is_file=isinstance(field, FileField),
        phone=phone,
    )


def has_password(widget: Widget) -> bool:
    """Whether a password is typed into the widget, or a part of it."""
    return any(getattr(part, "input_type", "") == "password" for part in _widgets(widget))


def _names_of(form: Any, private: frozenset[str]) -> Iterator[FieldName]:
    if isinstance(form, BaseFormSet):
        for one in (form.management_form, *form.forms, form.empty_form):
            yield from _names_of(one, private)
    elif isinstance(form, type) and issubclass(form, BaseFormSet):
        # How many there are nobody knows; they differ in their numbers alone.
        yield from _fields_of(form.form, private, f"{form.get_default_prefix()}-__prefix__-")
        for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS"):
            yield FieldName(html_name=f"{form.get_default_prefix()}-{name}", name=name)
    else:
        yield from _fields_of(form, private, "")


def _fields_of(form: Any, private: frozenset[str], prefix: str) -> Iterator[FieldName]:
    private = private | frozenset(getattr(form, "qaprod_private", ()))
    kept = frozenset(getattr(form, "qaprod_kept", ()))
    is_class = isinstance(form, type)
    for name, field in (form.base_fields if is_class else form.fields).items():
        html_name = f"{prefix}{name}" if is_class else form.add_prefix(name)
        yield describe(name, field, html_name=html_name, private=private, kept=kept)


def _widgets(widget: Widget) -> Iterator[Widget]:
    yield widget
    for part in getattr(widget, "widgets", ()):
        yield from _widgets(part)
