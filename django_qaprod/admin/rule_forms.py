"""The form by which people say other numbers than the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..dashboard import durations, rules, words
from ..exceptions import OverrideError
from ..models import Failure
from ..queries.rules import RuleState, value_of
from ..registry import DURATIONS
from ..specs import RuleSpec
from ..store.rules import NUMBERS, keys, valid

_MOST = 1e12
# A thousand to some, and one to others.
_IN_DOUBT = re.compile(r"[1-9]\d{0,2}([.,]\d{3})+")


class NumberField(forms.CharField):
    """A number of a rule; one that is a stretch of time is typed as ``5 min``. Empty is ``None``."""

    def __init__(self, spec: RuleSpec, key: str, **options: Any) -> None:
        self._spec, self._key = spec, key
        super().__init__(max_length=40, required=False, **options)

    def clean(self, value: Any) -> float | None:
        """Return the number, of seconds where it is a stretch of time."""
        text = str(super().clean(value))
        return self._number(text) if text else None

    def _number(self, text: str) -> float:
        is_time = self._key.removeprefix(NUMBERS) in DURATIONS
        try:
            found = durations.read(text) if is_time else self._read(text)
        except ValueError:
            if is_time:
                raise forms.ValidationError(_("Write a time as in 90 s, 5 min, 2 h or 1 d 12 h.")) from None
            raise forms.ValidationError(_("Write a number as in 3 or 0.25.")) from None
        try:
            valid(self._spec, self._key, found)
        except OverrideError:
            raise forms.ValidationError(_("This number is out of bounds.")) from None
        if found > _MOST:
            raise forms.ValidationError(_("This number is out of bounds."))
        return found

    def _read(self, text: str) -> float:
        """Return a number, with the point or comma of any language; a share may be in percent.

        Raises ``ValueError`` for what is none, and ``ValidationError`` for what may be two.
        """
        if _IN_DOUBT.fullmatch(text) and text != self.initial:
            raise forms.ValidationError(
                _("Write a number without separators, as 1000; or 1.0 where it is one.")
            )
        number = float(text.removesuffix("%").replace(",", "."))
        return number / 100 if text.endswith("%") else number


class RuleForm(forms.Form):
    """The numbers of a rule, its severity, its channels, and whether it is on, as they are in force now.

    A number that is left empty is given back to the code.
    """

    def __init__(self, known: RuleState, channels: Sequence[str], data: Any = None) -> None:
        super().__init__(data, prefix="rule", label_suffix="")
        self._known = known
        code, spec = known.declared, known.effect
        for key in keys(code):
            if key.startswith(NUMBERS):
                self.fields[key] = NumberField(
                    code,
                    key,
                    label=rules.name_of(key),
                    initial=rules.in_words(key, value_of(spec, key)),
                    help_text=self._help(key),
                )
        self.fields["severity"] = forms.ChoiceField(
            label=rules.name_of("severity"),
            choices=Failure.Severity.choices,
            initial=spec.severity,
            help_text=self._help("severity"),
        )
        # One that is configured no more can be taken off.
        self.fields["to"] = forms.MultipleChoiceField(
            label=rules.name_of("to"),
            choices=[(name, words.cut(name, 60)) for name in dict.fromkeys((*channels, *spec.to))],
            initial=list(spec.to),
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text=_("None: as the routes say."),
        )
        self.fields["on"] = forms.BooleanField(
            label=gettext_lazy("is on"), initial=spec.on, required=False, help_text=self._help("on")
        )

    def numbers(self) -> dict[str, float]:
        """Return the numbers as they would be."""
        typed = {
            key.removeprefix(NUMBERS): value
            for key, value in self.cleaned_data.items()
            if key.startswith(NUMBERS) and value is not None
        }
        return {**self._known.declared.numbers, **typed}

    def changes(self) -> Iterator[tuple[str, Any, bool]]:
        """Yield what is not in force already: the key, the value, and whether the code says so, too."""
        for key, typed in self.cleaned_data.items():
            code, now = self._plain(value_of(self._known.declared, key)), value_of(self._known.effect, key)
            value = code if typed is None else typed
            if value != self._plain(now):
                yield key, value, value == code

    def _plain(self, value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value

    def _help(self, key: str) -> str:
        code, now = value_of(self._known.declared, key), value_of(self._known.effect, key)
        told = [rules.with_unit(self._known.effect, key, now)]
        if code != now:
            told.append(_("In the code: %(value)s") % {"value": rules.in_words(key, code) or words.NOTHING})
        return "; ".join(filter(None, told))
