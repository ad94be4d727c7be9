"""Sinks for scripts that run in processes of their own: ``QAPROD["RELEASE"]`` names the file to write to."""

from __future__ import annotations

import threading
from pathlib import Path

from django.conf import settings

from django_qaprod.records import EventRecord, NumbersRecord
from django_qaprod.typing import Batch


class FileSink:
    """Writes a word for each event, and ``name=count`` for each number."""

    name = "file"

    def write(self, batch: Batch) -> None:
        words: list[str] = []
        for record in batch.records:
            if isinstance(record, EventRecord):
                words.append(record.subject)
            elif isinstance(record, NumbersRecord):
                words += [f"{cell.name}={cell.count}" for cell in record.cells]
        with Path(settings.QAPROD["RELEASE"]).open("a") as file:
            file.write(" ".join(words) + "\n")

    def close(self) -> None:
        pass


class HangingSink:
    """Takes a batch and never comes back."""

    name = "hanging"

    def write(self, batch: Batch) -> None:
        threading.Event().wait()

    def close(self) -> None:
        pass
