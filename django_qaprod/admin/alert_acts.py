"""What a person does to alerts: the same acts from the list and from an alert's page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import clock
from ..dashboard import words
from ..models import Alert
from .acts import SPANS
from .permissions import may

if TYPE_CHECKING:
    from ..store.alerts import Tell

#: Characters of a reason.
LONGEST_REASON = 440

#: Which permission each act asks for, and of what.
PERMISSION = {
    "acknowledge": ("acknowledge", "alert"),
    "give_back": ("acknowledge", "alert"),
    "useful": ("acknowledge", "alert"),
    "useless": ("acknowledge", "alert"),
    "resolve": ("resolve", "alert"),
    "silence": ("add", "silence"),
}


class ResolveForm(forms.Form):
    """Why alerts are over, if somebody wants to say it."""

    why = forms.CharField(label=gettext_lazy("Why (optional)"), max_length=LONGEST_REASON, required=False)


class SilenceForm(forms.Form):
    """How long alerts are to be quiet, and why."""

    span = forms.TypedChoiceField(label=gettext_lazy("How long"), choices=list(SPANS.items()), coerce=int)
    why = forms.CharField(label=gettext_lazy("Why"), max_length=LONGEST_REASON)


class ActForm(forms.Form):
    """The buttons of an alert's page."""

    do = forms.ChoiceField(choices=[(act, act) for act in PERMISSION])
    span = forms.TypedChoiceField(choices=list(SPANS.items()), coerce=int, required=False, empty_value="3600")
    why = forms.CharField(max_length=LONGEST_REASON, required=False)

    def clean(self) -> dict[str, object]:
        """Refuse a silence without its reason."""
        data: dict[str, object] = super().clean() or {}
        data["span"] = int(str(data.get("span", 3600)))
        if data.get("do") == "silence" and not data.get("why"):
            raise forms.ValidationError(_("Say why it is to be silent: whoever misses it will ask."))
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act and its particulars; ``span`` in seconds."""

    do: str
    span: int = 3600
    why: str = ""

    def allowed(self, request: HttpRequest) -> bool:
        """Whether the user may do this."""
        act, of = PERMISSION[self.do]
        return may(request, act, of=of)

    def perform(self, ids: Iterable[int], *, who: str) -> tuple[str, bool]:
        """Do it; return a message that says what happened, and whether anything did."""
        # Not at every start of the host.
        from ..store import alerts

        match self.do:
            case "acknowledge":
                n = alerts.acknowledge(ids, who=who)
                said = ngettext("%(n)s alert is acknowledged.", "%(n)s alerts are acknowledged.", n)
            case "give_back":
                n = alerts.unacknowledge(ids, who=who, tell=_told_again())
                said = ngettext(
                    "Nobody is on %(n)s alert any more: who was told is reminded of it.",
                    "Nobody is on %(n)s alerts any more: who was told is reminded of them.",
                    n,
                )
            case "resolve":
                n = alerts.resolve(ids, who=who, why=self.why)
                said = ngettext(
                    "%(n)s alert is resolved. If its rule is still wrong, it fires anew.",
                    "%(n)s alerts are resolved. Those whose rules are still wrong fire anew.",
                    n,
                )
            case "silence":
                n, until = self._silence(ids, who)
                # Without a full stop: "2:20 p.m." has its own.
                said = ngettext(
                    "%(n)s alert is silent until %(until)s", "%(n)s alerts are silent until %(until)s", n
                )
                return said % {"n": words.number(n), "until": until}, bool(n)
            case _:
                n = alerts.say_useful(ids, self.do == "useful", who=who)
                said = _("Thank you: it counts for the rule.")
        if not n:
            return _("Nothing changed: that was the state already."), False
        return said % {"n": words.number(n)}, True

    def _silence(self, ids: Iterable[int], who: str) -> tuple[int, str]:
        from ..store import silences

        until = clock.now() + timedelta(seconds=self.span)
        # One for each of a rule's keys, however many alerts it had.
        chosen = Alert.objects.filter(pk__in=list(ids)).order_by("rule", "key")
        wanted = list(chosen.values_list("rule", "key").distinct())
        for rule, key in wanted:
            silences.make(rule=rule, key=key, who=who, why=self.why, until=until)
        return len(wanted), words.moment(until)


def _told_again() -> Tell:
    """Return what says when an alert that is nobody's any more is told again: as if it fired now."""
    # Not at every start of the host.
    from ..alerts import telling
    from ..queries import rules
    from ..store.alerts import Telling

    at, specs = clock.now(), {spec.name: spec for spec in rules.effective()}

    def tell(alert: Alert) -> Telling:
        spec = specs.get(alert.rule)
        return telling.telling(alert, spec, at, ()) if spec is not None else Telling()

    return tell
