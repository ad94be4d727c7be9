"""What processes read of themselves under a real server: each of them, in few series."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.servers import wait_until

from . import host as hosts
from .load import visit

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

SERIES = "list(Series.objects.filter(name='process.memory.usage').values_list('label', 'unit'))"
READ = (
    "Bucket.objects.filter(series__name='process.memory.usage', rolled=False)"
    ".aggregate(n=Sum('count'), least=Min('minimum'))"
)


def test_the_processes_of_a_server_are_one_series(tmp_path: Path) -> None:
    host = hosts.sqlite(tmp_path)
    with host.serve("gunicorn-preload", workers=3) as server:
        visit(server.port, ["/ok/"] * 60)
        wait_until(lambda: (host.ask(READ)["n"] or 0) >= 3, what="each worker has read itself")
    [[label, unit]] = host.ask(SERIES)
    assert label.endswith(" gunicorn")
    assert unit == "By"
    assert host.ask(READ)["least"] > 5e6
