"""Where Sentry shows what we show."""

from __future__ import annotations

import re
from typing import Final

from ..conf import settings
from ..models import Occurrence
from ..records import SENTRY_EVENT

_ID: Final = re.compile(r"[0-9a-f]{32}")


def url_of(occurrence: Occurrence) -> str:
    """Return where an occurrence's event is shown, nothing if there is none or nobody said where.

    What no client of the site's had went out by ours, under its own id.
    """
    if settings().sentry is None:
        return ""
    from .. import options

    chosen, extra = options.of(options.Sentry), occurrence.extra
    if chosen is None:
        return ""
    known = extra.get(SENTRY_EVENT) if isinstance(extra, dict) else None
    event_id = known if isinstance(known, str) else occurrence.pk if chosen.dsn else ""
    return chosen.url_of(event_id) if _ID.fullmatch(event_id) else ""
