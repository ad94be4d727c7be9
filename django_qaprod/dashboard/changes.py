"""What changed before an alert fired: the same as its message says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from .. import clock
from ..models import Alert, Deploy
from ..queries import circumstances
from ..queries.circumstances import RELEASES_BEFORE
from . import words
from .rules import in_words, moment, name_of

# What people changed earlier is how the rule is, and no reason why it fires now.
_NEWS = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A release, a flag, or what somebody changed of the rule; ``at`` is ``None`` if nobody knows when."""

    what: str
    at: datetime | None
    note: str = ""


def before(alert: Alert) -> list[Change]:
    """Return what may have brought an alert: what went live, then what people changed of its rule.

    Two queries.
    """
    until = circumstances.caused_by([alert], clock.now())
    live = circumstances.deploys(alert.began_at - RELEASES_BEFORE, until)
    said = circumstances.overrides({alert.rule}).get(alert.rule, {})
    changed = [_changed(key, one) for key, one in said.items() if isinstance(one, Mapping)]
    return [*map(_went_live, live), *(one for one in changed if _is_news(one.at))]


def _went_live(deploy: Deploy) -> Change:
    named = _("flag %(name)s") if deploy.flag else _("release %(name)s")
    what = named % {"name": words.cut(deploy.release, 100)}
    return Change(what=what, at=deploy.at, note=words.cut(deploy.note, 150))


def _changed(key: str, given: Mapping[str, Any]) -> Change:
    said = {"name": name_of(key), "value": in_words(key, given.get("value"))}
    what = _("%(name)s: %(value)s") if "value" in given else _("%(name)s: as in the code again")
    return Change(
        what=_("of the rule, %(what)s") % {"what": what % said},
        at=moment(str(given.get("at", ""))),
        note=words.cut(given.get("who", ""), 60),
    )


def _is_news(at: datetime | None) -> bool:
    return at is None or clock.now() - at < _NEWS
