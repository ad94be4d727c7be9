"""The forms of rescued submissions: to edit what was sent, and to say why one is discarded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from ..dashboard import sent, words
from ..forms.labels import Choices, FieldLabel
from ..sent import Submission
from .submission_fields import Told

# Longer than this, a line has no place in a single-line input.
_LINE = 80
# What may be typed as by the visitor; browsers read others as they like, and send something else.
_TYPES = frozenset({"email", "tel"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class DiscardForm(forms.Form):
    """Why a submission is given up."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=500,
        help_text=_("Kept with the submission, for whoever asks what became of it."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class EditForm(forms.Form):
    """Each value that was sent, in the order in which it was sent; ``number`` is its version.

    Fields are called as the visitor knew them, and offer what could be chosen, as far as ``labels`` says so;
    ``told`` is what they say of what was sent. What they would refuse is taken all the same.
    """

    CONFLICT = _(
        "Somebody else has edited this submission in the meantime, or it does not wait any more. "
        "Nothing was stored. Copy what you need and begin again from its page."
    )

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self,
        submission: Submission,
        number: int,
        data: Any = None,
        *,
        labels: Mapping[str, FieldLabel] = MappingProxyType({}),
        told: Mapping[str, Told] = MappingProxyType({}),
    ) -> None:
        super().__init__(data, initial={"version": number})
        self._submission, self._number = submission, number
        for at, (name, value) in enumerate(submission.fields):
            known = labels.get(name) or FieldLabel(label=name)
            self.fields[f"field-{at}"] = _field(submission, name, value, known, told.get(name, Told()))

    def clean_version(self) -> int:
        """Refuse an edit of a version that is not the latest any more."""
        if self.cleaned_data["version"] != self._number:
            raise forms.ValidationError(self.CONFLICT)
        return self._number

    def values(self) -> Iterator[BoundField]:
        """Yield the fields with what was sent."""
        return (self[name] for name in self.fields if name != "version")

    def edited(self) -> Submission:
        """Return the submission with the values as they are now."""
        fields = tuple(
            (name, _kept(value, self.cleaned_data[f"field-{at}"]))
            for at, (name, value) in enumerate(self._submission.fields)
        )
        return replace(self._submission, fields=fields)

    def has_changed(self) -> bool:
        return self.edited().fields != self._submission.fields


def _field(submission: Submission, name: str, value: str, known: FieldLabel, told: Told) -> forms.CharField:
    refused = _("the form would refuse this: %(why)s") % {"why": words.cut(told.refused, 300)}
    said = (
        words.cut(known.help_text, 300),
        *sent.marks(submission, name),
        refused if told.refused else "",
    )
    return forms.CharField(
        label=words.cut(known.label, 100),
        label_suffix="",
        initial=value,
        required=False,
        strip=False,
        widget=_select(value, known.choices) if known.choices else _input(value, told.input_type),
        help_text="; ".join(filter(None, said)),
    )


def _select(value: str, choices: Choices) -> forms.Select:
    offered = [(key, words.cut(label, 100)) for key, label in choices]
    if value not in dict(choices):
        # It stays what it is until somebody chooses.
        offered.insert(0, (value, words.cut(value, 100)))
    return forms.Select(choices=offered)


def _input(value: str, input_type: str) -> forms.Textarea | forms.TextInput:
    if len(value) > _LINE or "\n" in value or "\r" in value:
        return forms.Textarea({"class": "vLargeTextField", "rows": 6})
    return forms.TextInput({"class": "vTextField", "type": _type(value, input_type)})


def _type(value: str, wanted: str) -> str:
    # Browsers trim an address and write it in ASCII, and show nothing of what is no date.
    unchanged = (
        not value or bool(_DATE.fullmatch(value))
        if wanted == "date"
        else wanted in _TYPES and value.isascii() and value == value.strip()
    )
    return wanted if unchanged else "text"


def _kept(before: str, now: str) -> str:
    # Browsers send each end of a line as two characters, however it came.
    return before if _lines(before) == _lines(now) else now


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
