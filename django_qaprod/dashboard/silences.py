"""Silences in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from .. import clock
from ..models import Alert, Rule, Silence
from ..store.silences import matching
from . import words

#: Alerts that are shown of one silence.
MOST = 20


def about(silence: Silence) -> str:
    """Return about what there is to be quiet: ``everything``, or all that it names."""
    if silence.everything:
        return _("everything")
    named = (silence.rule, silence.key, silence.journey)
    return " · ".join(words.cut(text, 90) for text in named if text) or words.NOTHING


def state(silence: Silence) -> tuple[str, str]:
    """Return whether it holds: ``now``, ``coming``, ``ended`` or ``over``, and the same in words."""
    now = clock.now()
    if silence.until > now:
        return ("now", _("now")) if silence.begins_at <= now else ("coming", _("coming"))
    return ("ended", _("ended early")) if silence.ended_by else ("over", _("over"))


def quieted(silence: Silence) -> list[Alert]:
    """Return what fires or is pending and would be told but for it, the worst first. One query."""
    active = Alert.objects.filter(state__in=(Alert.State.FIRING, Alert.State.PENDING))
    ordered = active.order_by("rank", "-fired_at")[: 10 * MOST]
    return [alert for alert in ordered if matching(alert, [silence]) is not None][:MOST]


def names_something(silence: Silence) -> bool:
    """Return whether what it tells apart is known, of an alert or of the last look at a rule. Two queries."""
    if not silence.key:
        return True
    alerts, looks = Alert.objects.filter(key=silence.key), Rule.objects.order_by()
    if silence.rule:
        alerts, looks = alerts.filter(rule=silence.rule), looks.filter(name=silence.rule)
    if silence.journey:
        alerts = alerts.filter(journey=silence.journey)
    verdicts = (one for row in looks.values_list("verdicts", flat=True) for one in row)
    return alerts.exists() or any(one.get("key") == silence.key for one in verdicts)


def unheard_of(silence: Silence) -> str:
    """Return the warning for a silence that names what nobody knows: it may be misspelt."""
    said = _("No alert and no rule knows “%(key)s” so far: look whether it is written as in the alerts.")
    return said % {"key": words.cut(silence.key, 90)}
