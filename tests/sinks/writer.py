"""A drainer's life in a process of its own: writes batches of one segment, again if refused.

``python -m tests.sinks.writer '{DATABASES as JSON}' migrate|write|count [segment] [batches]``
"""

from __future__ import annotations

import json
import sys
import time

import django
from django.conf import settings

RECORDS = 8


def main(databases: str, act: str, segment: str = "", batches: str = "0") -> None:
    settings.configure(
        DATABASES=json.loads(databases),
        INSTALLED_APPS=["django.contrib.contenttypes", "django_qaprod"],
        MIDDLEWARE=[],
        SECRET_KEY="only for tests",
        USE_TZ=True,
    )
    django.setup()
    {"migrate": migrate, "write": lambda: write(segment, int(batches)), "count": count}[act]()


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def write(segment: str, batches: int) -> None:
    from django_qaprod.exceptions import SinkUnavailableError
    from django_qaprod.sinks.database import DatabaseSink
    from tests.store.make import batch, cell, failure, numbers

    sink = DatabaseSink()
    for part in range(batches):
        records = [failure(f"v1:{at % 3}", user=str(at), stack="s") for at in range(RECORDS - 1)]
        one = batch(*records, numbers(cell()), segment=segment, after=part * RECORDS)
        while True:
            try:
                sink.write(one)
            except SinkUnavailableError:
                say("refused")
                time.sleep(0.1)
            else:
                say("stored")
                break


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def count() -> None:
    from django.db.models import Sum

    from django_qaprod.models import Bucket, Failure

    failures = Failure.objects.aggregate(Sum("count"), Sum("people"))
    numbers = Bucket.objects.filter(series__name="http.server.request.duration").aggregate(Sum("count"))
    of_failures = Bucket.objects.filter(series__name="qaprod.failures").aggregate(Sum("count"))
    say(
        json.dumps(
            {
                "failures": failures["count__sum"],
                "people": failures["people__sum"],
                "numbers": numbers["count__sum"],
                "numbers of failures": of_failures["count__sum"],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
