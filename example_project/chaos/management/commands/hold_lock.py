"""The other process of the fault "database table locked"."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, connection, transaction

from example_project.chaos import faults
from example_project.jobs.models import Application

FAULT = "locked-table"
LOOK_EVERY = 0.2


class Command(BaseCommand):
    help = "Keep others from writing applications while the fault locked-table is on."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        while not stop.wait(LOOK_EVERY):
            if faults.on(FAULT):
                try:
                    hold(stop)
                except OperationalError:
                    # Somebody writes at this moment; their turn ends.
                    continue
        connection.close()


def hold(stop: threading.Event) -> None:
    """Hold the lock until the fault is switched off: readers go on, writers wait."""
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        sqlite: Any = connection
        sqlite.transaction_mode = "IMMEDIATE"
    with transaction.atomic():
        if connection.vendor == "postgresql":
            table = connection.ops.quote_name(Application._meta.db_table)
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        while faults.on(FAULT) and not stop.wait(LOOK_EVERY):
            pass
