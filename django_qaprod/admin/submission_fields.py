"""What the form of a submission says of its values: which it would refuse, and as what they are typed."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.html import strip_tags

from ..forms import labels
from ..pipeline import guard
from ..sent import Submission

# Each may cost a query.
_MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a field says of the value that it has; ``refused`` says why it takes none like it."""

    input_type: str = ""
    refused: str = ""


def told_of(submission: Submission) -> dict[str, Told]:
    """Return what the fields say, by the names under which they were sent.

    Each is asked alone, as the form's class has it: what the form's own code makes of it is not known, and
    what cannot be asked says nothing.
    """
    fields, data = labels.fields_of(submission), QueryDict(mutable=True)
    for name, value in submission.fields:
        data.appendlist(name, value)
    known: dict[str, Told] = {}
    for sent in islice(data, _MOST):
        found = labels.field_of(sent, fields)
        if found is None:
            continue
        # Its validators are the host's, and may ask a database.
        with guard.guard("forms.labels"), labels.savepoints():
            name, field = found
            known[sent] = Told(
                input_type=str(getattr(field.widget, "input_type", "") or ""),
                # What is masked is nothing that the form could judge.
                refused="" if sent in submission.withheld else _refused(field, data, sent, name),
            )
    return known


def _refused(field: forms.Field, data: QueryDict, sent: str, name: str) -> str:
    if isinstance(field, forms.FileField) or field.disabled:
        return ""
    asked: Any = copy.deepcopy(field)
    try:
        asked.clean(asked.widget.value_from_datadict(data, {}, sent))
    except ValidationError as error:
        # A row of a formset may be empty.
        may_be_empty = sent != name and getattr(error, "code", "") == "required"
        return "" if may_be_empty else strip_tags(" ".join(error.messages))
    return ""
