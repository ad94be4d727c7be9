"""The form by which quiet is asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import clock, registry
from ..dashboard import words
from ..models import Silence
from ..store import silences
from .acts import SPANS

_LONGEST = timedelta(days=366)
_TIMES = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


class SilenceForm(forms.Form):
    """About what, from when, until when and why. Times are in the reader's time zone."""

    rule = forms.ChoiceField(label=gettext_lazy("rule"), required=False)
    key = forms.CharField(
        label=gettext_lazy("which"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("What the rule tells apart, as its alerts say; all, where this is empty."),
    )
    journey = forms.ChoiceField(label=gettext_lazy("journey"), required=False)
    everything = forms.BooleanField(
        label=gettext_lazy("everything"),
        required=False,
        help_text=gettext_lazy("A maintenance window: nobody is told of anything."),
    )
    begins_at = forms.DateTimeField(
        label=gettext_lazy("from"),
        required=False,
        input_formats=_TIMES,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format=_TIMES[0]),
        help_text=gettext_lazy("Now, where this is empty."),
    )
    span = forms.ChoiceField(label=gettext_lazy("how long"), required=False)
    until = forms.DateTimeField(
        label=gettext_lazy("or until"),
        required=False,
        input_formats=_TIMES,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format=_TIMES[0]),
    )
    why = forms.CharField(
        label=gettext_lazy("why"),
        max_length=500,
        help_text=gettext_lazy("For whoever wonders why nobody was told."),
        widget=forms.TextInput({"class": "vTextField"}),
    )

    def __init__(self, data: Any = None, *, initial: dict[str, str] | None = None) -> None:
        super().__init__(data, initial={"span": "3600", **(initial or {})}, label_suffix="")
        asked = (initial or {}).get("rule", "")
        names = dict.fromkeys([*(spec.name for spec in registry.rules()), *([asked] if asked else [])])
        if data is not None and (given := str(data.get("rule", "")).replace("\x00", "")):
            # One that is gone may still have an alert.
            names[given] = None
        anything = ("", _("any"))
        self._choices("rule", [anything, *((name, words.cut(name, 90)) for name in names)])
        journeys = [(spec.name, words.cut(spec.title, 90)) for spec in registry.journeys()]
        self._choices("journey", [anything, *journeys])
        self._choices("span", [*SPANS.items(), ("", _("until the time below"))])

    def clean(self) -> dict[str, Any]:
        """Refuse a silence of nothing, and one that never holds."""
        data: dict[str, Any] = super().clean() or {}
        named = any(data.get(name) for name in ("rule", "key", "journey"))
        if data.get("everything") == named:
            raise forms.ValidationError(
                _("Choose a rule or a journey, or everything and nothing else.")
                if named
                else _("Say about what: a rule, a journey, or everything.")
            )
        begins = data.get("begins_at") or clock.now()
        until = data.get("until") or self._after(begins, data.get("span"))
        if until is None:
            self.add_error("until", _("Say until when."))
        elif until <= max(begins, clock.now()):
            self.add_error("until", _("That is over before it begins."))
        elif until - begins > _LONGEST:
            self.add_error("until", _("Nobody remembers a silence of more than a year: switch the rule off."))
        return {**data, "begins_at": begins, "until": until}

    def make(self, *, who: str) -> Silence:
        """Make the silence."""
        data = {name: value for name, value in self.cleaned_data.items() if name != "span"}
        return silences.make(**data, who=who)

    def _choices(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def _after(self, begins: datetime, span: str | None) -> datetime | None:
        try:
            return begins + timedelta(seconds=int(span)) if span else None
        except OverflowError:
            # In the year 9999.
            return None
