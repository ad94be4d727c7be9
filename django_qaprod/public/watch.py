"""Whether somebody watches: for a monitor outside, since we cannot tell that we have stopped telling."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Literal

from django.http import HttpRequest, HttpResponse

from .. import clock
from ..pipeline.guard import guard
from ..queries import alerts
from ..store import connections
from .responses import without_login

#: Seconds that the database may take.
PATIENCE = 3.0


@without_login("GET", "HEAD")
def watch(request: HttpRequest) -> HttpResponse:
    """Answer 200 ``ok`` when rules were judged within five minutes, and 503 ``stale`` or ``unknown`` else.

    Within some seconds, whatever the database does.
    """
    answer = _answer(_asker.ask())
    return HttpResponse(f"{answer}\n", content_type="text/plain", status=200 if answer == "ok" else 503)


def _answer(last: datetime | None) -> Literal["ok", "stale", "unknown"]:
    if last is None:
        return "unknown"
    # What lies ahead was written by a clock that was wrong: so far off, it says nothing.
    return "ok" if abs(clock.now() - last) < alerts.STALE_AFTER else "stale"


class _Reading(threading.Thread):
    """One look at the database, in a thread: there is no other way to stop waiting for one that hangs."""

    def __init__(self) -> None:
        super().__init__(name="qaprod-watch", daemon=True)
        #: When rules were judged last, ``None`` while and when that is not known.
        self.found: datetime | None = None

    def run(self) -> None:
        with guard("public.watch"):
            self.found = alerts.last_look()
        with guard("public.watch"):
            connections.close()


class _Asker:
    """Has one reading at a time: who asks meanwhile waits for the same, so that none pile up."""

    def __init__(self) -> None:
        self._reading: _Reading | None = None

    def ask(self) -> datetime | None:
        """Return when rules were judged last; ``None`` when that is not known in time."""
        # Without a lock: two that begin at the same moment are no harm, and a fork leaves no thread alive.
        reading = self._reading
        if reading is None or not reading.is_alive():
            reading = _Reading()
            with guard("public.watch"):
                reading.start()
                self._reading = reading
        if reading.is_alive():
            reading.join(PATIENCE)
        return reading.found


_asker = _Asker()
