"""A pass over all expectations: find, close, repair."""

from __future__ import annotations

import threading

from .. import registry
from ..pipeline import guard
from ..store import breaches
from . import repairing


def look(stop: threading.Event) -> breaches.Looked:
    """Look at every declared expectation. One that cannot be looked at holds back no other."""
    found = closed = 0
    whole = True
    for spec in registry.expectations():
        if stop.is_set():
            return breaches.Looked(found=found, closed=closed, whole=False)
        with guard.guard(f"expectation.{spec.name}"):
            looked = breaches.look(spec)
            found, closed, whole = found + looked.found, closed + looked.closed, whole and looked.whole
            if spec.by_itself:
                repairing.repair_by_itself(spec, stop)
    return breaches.Looked(found=found, closed=closed, whole=whole)
