"""A process that is killed in the middle of a replay: one effect, whenever that was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Postgres

from .kept import KEY

pytestmark = pytest.mark.servers

BEGIN = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from django.db import transaction
from django.http import HttpResponseRedirect
call_command("migrate", verbosity=0)
from django_qaprod.forms import queue
from tests.forms import replay_host as host
from tests.forms.kept import sent, stored
place, path = sys.argv[1:]
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
def answer():
    transaction.on_commit(die)
    return HttpResponseRedirect("/thanks/")
host.behave.update({"after": die} if place == "within" else {"answer": answer})
pk = stored(submission=sent(user="", path=path, fields=(("number", "N-1"),)), transactional=path == "/order/")
assert queue.ask([pk], who="staff") == 1
queue.work()
"""

GO_ON = """
import json
from datetime import timedelta
import django
django.setup()
from django.db.models.functions import Now
from django_qaprod.forms import queue
from django_qaprod.models import RescuedSubmission, SubmissionAct
from django_qaprod.store import replays
from tests.project.shop.models import Order
rows = RescuedSubmission.objects.all()
found = {"before": (rows.get().state, Order.objects.count())}
assert replays.expire() == 0
RescuedSubmission.objects.filter(state="replaying").update(claimed_until="2026-01-01T00:00Z")
replays.expire()
found["expired"] = (rows.get().state, rows.get().in_doubt)
found["asked"] = queue.ask([rows.get().pk], who="staff")
queue.work()
found["after"] = (rows.get().state, Order.objects.count())
acts = SubmissionAct.objects.filter(act="replayed").order_by("pk")
found["acts"] = list(acts.values_list("outcome", flat=True))
print(json.dumps(found))
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def surroundings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    database: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        database = server.create_database(f"killed_{os.urandom(4).hex()}")
    given = {"database": database, "key": KEY, "spool": str(tmp_path / "spool")}
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.forms.replay_settings",
        "QAPROD_TEST_REPLAY": json.dumps(given),
    }


def killed(surroundings: dict[str, str], place: str, path: str) -> dict[str, Any]:
    """Kill a process at a place in the replay; return what another one finds and does."""
    died = subprocess.run([sys.executable, "-c", BEGIN, place, path], env=surroundings, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    other = subprocess.run([sys.executable, "-c", GO_ON], env=surroundings, capture_output=True)
    assert other.returncode == 0, other.stderr.decode()
    found: dict[str, Any] = json.loads(other.stdout)
    return found


def test_before_the_commit_nothing_has_happened_and_it_can_be_asked_for_again(
    surroundings: dict[str, str],
) -> None:
    assert killed(surroundings, "within", "/order/") == {
        "before": ["replaying", 0],
        "expired": ["waiting", ""],
        "asked": 1,
        "after": ["replayed", 1],
        "acts": ["interrupted", "succeeded"],
    }


def test_after_the_commit_it_is_known_to_have_happened(surroundings: dict[str, str]) -> None:
    assert killed(surroundings, "committed", "/order/") == {
        "before": ["replayed", 1],
        "expired": ["replayed", ""],
        "asked": 0,
        "after": ["replayed", 1],
        "acts": ["succeeded"],
    }


def test_without_a_shared_transaction_nobody_knows_and_nobody_tries(surroundings: dict[str, str]) -> None:
    assert killed(surroundings, "within", "/loose/") == {
        "before": ["replaying", 1],
        "expired": ["waiting", "interrupted"],
        "asked": 0,
        "after": ["waiting", 1],
        "acts": ["interrupted"],
    }
