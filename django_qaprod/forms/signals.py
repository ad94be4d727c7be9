"""What the host may hear of rescued submissions, to write to the visitor for instance.

- ``submission_rescued``, in the request, after what was sent has been kept, once for each: ``sender`` is the
  view's name; ``submission``, ``kept`` and ``request`` come with it.
- ``submission_replayed``, after a replay has taken effect: ``sender`` is the view's name; ``rescued`` is the
  row, ``response`` what the view has answered.

A receiver that raises hurts nobody; its error is logged.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

from ..pipeline import guard

submission_rescued = Signal()
submission_replayed = Signal()


@guard.guarded("forms.signals")
def tell(signal: Signal, sender: str, **what: Any) -> None:
    """Send a signal to receivers of the host's, none of whom can hurt us or each other.

    What one raises is logged by Django, and so a failure like any other of the host's.
    """
    signal.send_robust(sender, **what)
