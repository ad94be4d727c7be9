"""A host's form as our plain page shows it, each field guarded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.forms import BaseForm, BaseFormSet
from django.forms.utils import pretty_name
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .building import Built
from .call import Call
from .privacy import has_password


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error, and the id of what has to be corrected."""

    text: str
    id: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field as it is shown."""

    html: SafeString | str
    html_name: str
    id: str = ""
    label: SafeString | str = ""
    help_text: SafeString | str = ""
    errors: tuple[str, ...] = ()
    #: What the ids of its help and its errors begin with.
    base: str = ""
    hidden: bool = False
    optional: bool = False
    group: bool = False
    free_text: bool = False


@dataclass(slots=True, kw_only=True)
class Part:
    """A form or a formset as it is shown."""

    rows: list[list[Field]] = field(default_factory=list)
    hidden: list[SafeString | str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    free_text: list[str] = field(default_factory=list)
    multipart: bool = False


def part_of(call: Call, built: Built) -> Part:
    """Return what is shown of a form; a field that cannot be rendered becomes free text."""
    part = Part()
    form = built.form
    if isinstance(form, BaseFormSet):
        part.hidden.append(str(form.management_form))
        if form.is_bound:
            part.problems += [Problem(text=text) for text in _texts(form.non_form_errors())]
    for one in built.forms:
        _add(call, part, one, whole=built.whole)
    return part


def _add(call: Call, part: Part, form: BaseForm, *, whole: bool) -> None:
    form.use_required_attribute = form.use_required_attribute and whole
    part.multipart |= any(isinstance(one, forms.FileField) for one in form.fields.values())
    if form.is_bound:
        part.problems += [Problem(text=text) for text in _texts(form.non_field_errors())]
    row: list[Field] = []
    for name in form.fields:
        shown = _shown(call, form, name)
        if shown.free_text:
            part.free_text.append(shown.html_name)
        if shown.hidden:
            part.hidden.append(shown.html)
        else:
            row.append(shown)
        part.problems += [Problem(text=text, id=shown.id, label=str(shown.label)) for text in shown.errors]
    part.rows.append(row)


def _shown(call: Call, form: BaseForm, name: str) -> Field:
    shown = call.attempt("field", lambda: _as_made(form, name))
    return shown if isinstance(shown, Field) else _as_free_text(call, form, name)


def _as_made(form: BaseForm, name: str) -> Field:
    if not form.auto_id:
        # Without ids no label belongs to anything.
        form.auto_id = "id_%s"
    bound = form[name]
    hidden = bound.is_hidden
    return Field(
        html=bound.as_widget(),
        html_name=bound.html_name,
        # A group has its own: its first choice is not what an error is about.
        id=f"{bound.auto_id}_group" if bound.use_fieldset else bound.id_for_label,
        base=bound.auto_id,
        label="" if hidden else _text(bound.label),
        help_text="" if hidden else _text(bound.help_text),
        errors=tuple(_texts(bound.errors)) if form.is_bound else (),
        hidden=hidden,
        optional=form.use_required_attribute and not bound.field.required,
        group=bound.use_fieldset,
    )


def _as_free_text(call: Call, form: BaseForm, name: str) -> Field:
    html_name = form.add_prefix(name)
    made = form.fields[name]
    label = call.attempt("field", lambda: _text(made.label or pretty_name(name)))
    ours = f"id_{html_name}"
    return Field(
        html=_input(form, made, html_name, ours),
        html_name=html_name,
        id=ours,
        base=ours,
        label=label if isinstance(label, str) else pretty_name(name),
        help_text=_("Please write it in your own words."),
        hidden=made.widget.is_hidden,
        free_text=not isinstance(made, forms.FileField),
    )


def _input(form: BaseForm, made: forms.Field, html_name: str, ours: str) -> SafeString:
    if isinstance(made, forms.FileField):
        return format_html('<input type="file" name="{}" id="{}">', html_name, ours)
    if has_password(made.widget):
        return format_html('<input type="password" name="{}" id="{}" autocomplete="off">', html_name, ours)
    value = _sent(form, html_name)
    if made.widget.is_hidden:
        return format_html('<input type="hidden" name="{}" value="{}">', html_name, value)
    described = f"{ours}_helptext"
    if isinstance(made.widget, forms.Textarea):
        return format_html(
            '<textarea name="{}" id="{}" rows="6" aria-describedby="{}">\n{}</textarea>',
            html_name,
            ours,
            described,
            value,
        )
    return format_html(
        '<input type="text" name="{}" id="{}" value="{}" aria-describedby="{}">',
        html_name,
        ours,
        value,
        described,
    )


def _sent(form: BaseForm, html_name: str) -> str:
    """Return what was typed into a field; of one in several parts, all of them."""
    data: Any = form.data
    if not hasattr(data, "getlist"):
        return ""
    # Not those of a field whose name begins alike: it may be a password.
    others = tuple(other for other in map(form.add_prefix, form.fields) if other.startswith(f"{html_name}_"))
    values = data.getlist(html_name) or [
        value
        for name in data
        if name.startswith(f"{html_name}_") and not name.startswith(others)
        for value in data.getlist(name)
    ]
    return ", ".join(values)


def _text(given: Any) -> str:
    """Return text that is safe where the host says so: a translated one is not translated yet."""
    return given if isinstance(given, str) else str(given)


def _texts(errors: Iterable[Any]) -> list[str]:
    return [str(error) for error in errors]
