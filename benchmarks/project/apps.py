"""The app of the benchmarks; starts what is measured beside django-qaprod."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class BenchmarksConfig(AppConfig):
    """Starts the peers of a variant."""

    name = "benchmarks.project"

    def ready(self) -> None:
        from . import peers

        for name in settings.BENCH_PEERS:
            getattr(peers, name)(settings.BENCH_HTTP)
