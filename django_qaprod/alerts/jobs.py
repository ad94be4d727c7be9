"""What the worker does about alerts, and how often."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import translation

from ..queries import alerts
from ..worker import awaited
from ..worker.schedule import Run, job
from . import passes, ping, sending

#: How often rules are judged: within a minute or two a team is to know.
EVERY = timedelta(seconds=30)

awaited += [sending.senders.wait, ping.wait]


@job(alerts.JOB, every=EVERY)
def look(run: Run) -> None:
    """Judge the rules, have it told what changed, and tell whoever watches us that we are there."""
    # What happened is put into words here, which are kept: for all, and not for whoever runs the worker.
    try:
        with translation.override(settings.LANGUAGE_CODE):
            looked = passes.look(run.stop, previous=run.previous)
    finally:
        # Whatever goes wrong with looking: what is due is told.
        sending.start()
    if not looked.left and (looked.judged or looked.silent or not looked.failed):
        ping.ping()
