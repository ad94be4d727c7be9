"""Alerts that fire although all is well again: they are kept for a while, and say what was wrong last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from .. import clock
from ..models import Alert
from ..queries import rules
from ..queries.rules import RuleState
from ..specs import RuleSpec
from . import words

#: Longer than between two looks.
RIGHT_AFTER = timedelta(seconds=90)
#: For so long has to be calm what flaps, as ``alerts.states`` has it.
CALM = timedelta(minutes=30)


def healing(shown: Sequence[Alert]) -> Mapping[int, str]:
    """Return in words since when alerts that fire are right, and when they are over. One query, mostly none.

    By their primary keys; those are left out that are wrong, and those of which nobody knows.
    """
    now = clock.now()
    kept = [one for one in shown if one.state == Alert.State.FIRING and now - one.wrong_at > RIGHT_AFTER]
    if not kept:
        return {}
    states = {state.effect.name: state for state in rules.states()}
    return {
        alert.pk: _said(alert, state.effect, now)
        for alert in kept
        if (state := states.get(alert.rule)) is not None and _is_right(alert, state, now)
    }


def _is_right(alert: Alert, state: RuleState, now: datetime) -> bool:
    row = state.row
    judged = row.judged_at is not None and now - row.judged_at <= RIGHT_AFTER
    if not judged or row.error or row.silent or not state.effect.on:
        return False
    verdicts = {str(one.get("key", "")): bool(one.get("wrong")) for one in row.verdicts}
    # Of which nothing is said is right where it is counted what is too many.
    counted = state.effect.kind == "threshold" and "at_least" in state.effect.numbers
    unsaid_is_right = counted and state.effect.of.kind != "gauge"
    return not verdicts.get(alert.key, not unsaid_is_right)


def _said(alert: Alert, spec: RuleSpec, now: datetime) -> str:
    keep = timedelta(seconds=min(spec.numbers.get("keep_firing", 0.0), timedelta.max.total_seconds() / 1e6))
    over = alert.wrong_at + (max(keep, CALM) if alert.flapping else keep)
    since = {"since": words.hour(alert.wrong_at), "over": words.hour(over)}
    if over <= now:
        return _("right since %(since)s") % since
    return _("right since %(since)s; over at about %(over)s if it stays so") % since
