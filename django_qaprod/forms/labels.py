"""What the fields of a kept submission are called, and what may be chosen in them, for whoever edits it.

The view is found by the address, and its forms as ``serve_form`` knows them. Nothing here has to work: a
field of which nothing can be told is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from django.db.transaction import atomic
from django.forms import BaseFormSet, ChoiceField, Field, ModelChoiceField
from django.forms.utils import pretty_name
from django.urls import Resolver404, resolve
from django.utils.choices import flatten_choices
from django.utils.html import strip_tags

from ..degradation.savepoints import in_transaction
from ..pipeline import guard
from ..sent import Submission
from . import resending
from .options import told_of
from .submission import canonical

#: Of more choices than these none is offered: nobody finds theirs among a thousand, and they cost.
MOST_CHOICES: Final = 200

Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLabel:
    """What a field says of itself. Without ``choices`` anything may be typed, or they are too many."""

    label: str
    help_text: str = ""
    choices: Choices = ()


def labels_of(submission: Submission) -> dict[str, FieldLabel]:
    """Return what is known of the fields, by the names under which they were sent."""
    fields = fields_of(submission)
    known: dict[str, FieldLabel] = {}
    labels: dict[int, FieldLabel | None] = {}
    for sent in dict.fromkeys(name for name, _value in submission.fields):
        found = field_of(sent, fields)
        if found is None:
            continue
        name, field = found
        # Rows of a formset share their fields, and so the query for their choices.
        if id(field) not in labels:
            labels[id(field)] = _label(name, field)
        label = labels[id(field)]
        if label is not None:
            known[sent] = label
    return known


def field_of(sent: str, fields: Mapping[str, tuple[str, Field]]) -> tuple[str, Field] | None:
    """Return the field that was sent under a name, and its own name."""
    # The prefix of a form is known to its view alone.
    return fields.get(canonical(sent)) or fields.get(sent.rpartition("-")[2])


def fields_of(submission: Submission) -> dict[str, tuple[str, Field]]:
    """Return the fields of the forms at a submission's address, by their names without a prefix."""
    found: dict[str, tuple[str, Field]] = {}
    with guard.guard("forms.labels"), savepoints():
        for form in _forms(submission):
            is_set = issubclass(form, BaseFormSet)
            prefix = f"{form.get_default_prefix()}-__prefix__-" if is_set else ""
            for name, field in (form.form if is_set else form).base_fields.items():
                found.setdefault(f"{prefix}{name}", (name, field))
    return found


def _forms(submission: Submission) -> list[type[Any]]:
    """Return the form and formset classes of the view at the submission's address."""
    request = resending.request_of(resending.environ(replace(submission, files=()), ""))
    try:
        match = resolve(request.path_info)
    except Resolver404:
        # The address has moved since.
        return []
    request.resolver_match = match
    view: Any = match.func
    options = told_of(view)
    if options is None or options.forms:
        return list(options.forms.values()) if options is not None else []
    made = view.view_class(**view.view_initkwargs)
    made.setup(request, *match.args, **match.kwargs)
    return list(made.get_served_forms().values())


def _label(name: str, field: Field) -> FieldLabel | None:
    with guard.guard("forms.labels"), savepoints():
        label = FieldLabel(
            label=strip_tags(str(field.label or pretty_name(name))),
            help_text=strip_tags(str(field.help_text)),
        )
        with guard.guard("forms.labels"), savepoints():
            return replace(label, choices=_choices(field))
        return label
    return None


def _choices(field: Field) -> Choices:
    if not isinstance(field, ChoiceField):
        return ()
    given: Any = field.choices
    choices = _rows(field) if isinstance(field, ModelChoiceField) else flatten_choices(given)
    found = tuple((str(value), str(label)) for value, label in islice(choices, MOST_CHOICES + 1))
    return found if len(found) <= MOST_CHOICES else ()


def _rows(field: ModelChoiceField[Any]) -> Iterator[tuple[Any, Any]]:
    if field.empty_label is not None:
        yield "", field.empty_label
    # Its own iterator would read all of them.
    for row in field.queryset.all()[: MOST_CHOICES + 1] if field.queryset is not None else ():
        yield field.prepare_value(row), field.label_from_instance(row)


@contextmanager
def savepoints() -> Iterator[None]:
    """Take back what fails in the block, so that the transaction around it goes on."""
    with ExitStack() as stack:
        for connection in in_transaction():
            stack.enter_context(atomic(using=connection.alias))
        yield
