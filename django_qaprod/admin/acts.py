"""What a person does to failures: the same acts from the list and from a failure's page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import clock
from ..conf import telemetry_alias
from ..templatetags.qaprod import exactly
from .permissions import may

#: Characters of a reason: a transition has 500, and says the limits of a silence in front of it.
LONGEST_REASON = 440

SPANS = {
    "3600": gettext_lazy("for an hour"),
    "86400": gettext_lazy("for a day"),
    "604800": gettext_lazy("for a week"),
}

#: Which permission each act asks for.
PERMISSION = {
    "resolve": "resolve",
    "resolve_in_next": "resolve",
    "reopen": "resolve",
    "silence": "silence",
    "silence_until": "silence",
}


class SilenceForm(forms.Form):
    """Quiet until a failure happens more often than so many times an hour."""

    above = forms.IntegerField(
        label=gettext_lazy("Speak up above this many an hour"), min_value=1, max_value=1_000_000, initial=20
    )
    why = forms.CharField(label=gettext_lazy("Why"), max_length=LONGEST_REASON, required=False)


class ActForm(forms.Form):
    """The buttons of a failure's page."""

    do = forms.ChoiceField(choices=[(act, act) for act in PERMISSION])
    span = forms.TypedChoiceField(choices=list(SPANS.items()), coerce=int, required=False, empty_value="3600")
    above = forms.IntegerField(min_value=1, max_value=1_000_000, required=False)
    why = forms.CharField(max_length=LONGEST_REASON, required=False)

    def clean(self) -> dict[str, object]:
        """Refuse a silence without its limit."""
        data: dict[str, object] = super().clean() or {}
        data["span"] = int(str(data.get("span", 3600)))
        if data.get("do") == "silence_until" and not data.get("above"):
            raise forms.ValidationError(_("Say above how many an hour the failure should speak up again."))
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act and its particulars. ``span`` in seconds; ``above`` occurrences an hour."""

    do: str
    span: int = 3600
    above: int | None = None
    why: str = ""

    def allowed(self, request: HttpRequest) -> bool:
        """Whether the user may do this."""
        return may(request, PERMISSION[self.do])

    def perform(self, ids: Iterable[int], *, who: str) -> tuple[str, bool]:
        """Do it; return a message that says what happened, and whether anything did."""
        # Not at every start of the host.
        from ..store import states

        particulars: dict[str, object] = {"above": self.above}
        match self.do:
            case "resolve":
                changed = states.resolve(ids, who=who, why=self.why)
                words = ngettext("%(n)d failure is resolved.", "%(n)d failures are resolved.", changed)
            case "resolve_in_next":
                changed = states.resolve(ids, who=who, why=self.why, in_next=True)
                words = _in_next(changed)
            case "reopen":
                changed = states.reopen(ids, who=who, why=self.why)
                words = ngettext("%(n)d failure is open again.", "%(n)d failures are open again.", changed)
            case "silence":
                until = clock.now() + timedelta(seconds=self.span)
                changed = states.silence(ids, who=who, why=self.why, until=until)
                words = ngettext(
                    "%(n)d failure is silent until %(until)s.",
                    "%(n)d failures are silent until %(until)s.",
                    changed,
                )
                particulars["until"] = exactly(until)
            case _:
                changed = states.silence(ids, who=who, why=self.why, above=self.above)
                words = ngettext(
                    "%(n)d failure is silent up to %(above)d an hour.",
                    "%(n)d failures are silent up to %(above)d an hour.",
                    changed,
                )
        if not changed:
            return _("Nothing changed: that was the state already."), False
        return words % {**particulars, "n": changed}, True


def _in_next(changed: int) -> str:
    # Not at every start of the host.
    from ..store import deploys

    if deploys.current(using=telemetry_alias()):
        return ngettext(
            "%(n)d failure is resolved in the next release: until it is live, the failure may still happen.",
            "%(n)d failures are resolved in the next release: until it is live, they may still happen.",
            changed,
        )
    return ngettext(
        "%(n)d failure is resolved now: no release is known, so there is no next one to wait for.",
        "%(n)d failures are resolved now: no release is known, so there is no next one to wait for.",
        changed,
    )
