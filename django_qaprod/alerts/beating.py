"""Tells that a job has run, for the rule ``Heartbeat`` that waits for it."""

from __future__ import annotations

import os
from time import time

from ..conf import settings
from ..pipeline import process
from ..pipeline.guard import guard
from ..records import Cell, NumbersRecord, new_id
from ..text import clean
from .measures import BEATS

#: Characters of a job's name, as of a rule's.
MAX_NAME = 150


def beat(job: str, /, *, ok: bool = True, seconds: float | None = None) -> None:
    """Tell that a job has ended, and whether well. Never raises, and waits for nothing but the disk.

    ``seconds`` is how long it took. At once in the spool, and so safe even if the process is killed.
    """
    with guard("beats"):
        if not process.recording():
            return
        at, took = time(), max(seconds or 0.0, 0.0)
        cell = Cell(
            name=BEATS,
            label=clean(job, MAX_NAME),
            attributes=(("outcome", "ok" if ok else "failed"),),
            start=int(at) // 60 * 60,
            count=1,
            total=took,
            minimum=took,
            maximum=took,
            unit="s",
        )
        record = NumbersRecord(
            id=new_id(at),
            at=at,
            cells=(cell,),
            release=settings().release,
            host=process.host(),
            process=str(os.getpid()),
        )
        process.submit(record)
