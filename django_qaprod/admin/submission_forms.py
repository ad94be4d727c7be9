"""The forms of rescued submissions: to edit what was sent, and to say why one is discarded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from ..dashboard import submissions, words
from ..sent import Submission

# Longer than this, a line has no place in a single-line input.
_LINE = 80


class DiscardForm(forms.Form):
    """Why a submission is given up."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=500,
        help_text=_("Kept with the submission, for whoever asks what became of it."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class EditForm(forms.Form):
    """Each value that was sent as text, in the order in which it was sent; ``number`` is its version."""

    CONFLICT = _(
        "Somebody else has edited this submission in the meantime, or it does not wait any more. "
        "Nothing was stored. Copy what you need and begin again from its page."
    )

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, submission: Submission, number: int, data: Any = None) -> None:
        super().__init__(data, initial={"version": number})
        self._submission, self._number = submission, number
        for at, (name, value) in enumerate(submission.fields):
            self.fields[f"field-{at}"] = _field(submission, name, value)

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


def _field(submission: Submission, name: str, value: str) -> forms.CharField:
    long = len(value) > _LINE or "\n" in value or "\r" in value
    attributes = {"class": "vLargeTextField", "rows": 6} if long else {"class": "vTextField"}
    return forms.CharField(
        label=words.cut(name, 100),
        label_suffix="",
        initial=value,
        required=False,
        strip=False,
        widget=forms.Textarea(attributes) if long else forms.TextInput(attributes),
        help_text="; ".join(submissions.marks(submission, name)),
    )


def _kept(before: str, now: str) -> str:
    # Browsers send each end of a line as two characters, however it came.
    return before if _lines(before) == _lines(now) else now


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
