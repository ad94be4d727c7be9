"""Visitors submit while faults come and go: what they were told is there, before the replays and after."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from example_project.accounts import STAFF, STAFF_PASSWORD
from example_project.chaos.switches import Switches
from tests.servers import Postgres, wait_until

from .demo import Demo, Person, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

#: Each for so many seconds, all of them while visitors are at every page. A lock is waited for, for five.
FAULTS = {
    "broken-audit": 3.0,
    "broken-view": 3.0,
    "locked-table": 6.5,
    "broken-form": 3.0,
    "unbuildable-form": 3.0,
    "dead-database": 3.0,
    "secret-form": 3.0,
    "broken-page": 3.0,
    "dead-sessions": 3.0,
}
OFF = 1.5
SUBMIT = "applications/<uuid:token>/submit/"
SAVE = "applications/<uuid:token>/form/<slug:page>/"


def test_what_is_confirmed_is_stored_or_kept_and_all_of_it_is_stored_in_the_end(tmp_path: Path) -> None:
    """On SQLite."""
    assert_nothing_is_lost(tmp_path, {})


@pytest.mark.postgres
def test_the_same_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    """With a lock timeout for a locked table."""
    name = f"kept{time.monotonic_ns()}"
    postgres.create_database(name)
    address = f"postgresql://{postgres.user}@127.0.0.1:{postgres.port}/{name}"
    assert_nothing_is_lost(tmp_path, {"EXAMPLE_DATABASE": address})


def assert_nothing_is_lost(directory: Path, environment: Mapping[str, str]) -> None:
    """Submissions confirmed are those stored and those kept; after the replays, those stored, each once."""
    arguments = ("--traffic", "7", "--pace", "0.15")
    with running(directory, *arguments, environment=environment) as demo:
        demo.url()
        demo.until(submissions_accepted=1)
        come_and_go(Switches(directory / "faults.json"))
        demo.until(submissions_accepted=demo.counted()["submissions_accepted"] + 1)
        assert demo.end() == 0, demo.output()
    counted, told = demo.counted(), demo.told()
    assert_accounts_agree(counted, told)

    with running(directory, "--traffic", "0", environment=environment) as demo:
        replay_all(demo, Person(demo.url()), told)
        after = demo.told()
    stored, confirmed = set(after["applications"]), set(counted["confirmed"]["applications"])
    replayed = Counter(row["route"] for row in after["rescued"].values() if row["state"] == "replayed")
    waiting = Counter(row["route"] for row in after["rescued"].values() if row["state"] == "waiting")
    assert stored <= confirmed
    assert len(confirmed - stored) <= waiting[SUBMIT]
    assert after["steps"]["submitted"] == len(after["applications"]) == len(stored)
    assert after["steps"]["updated"] == counted["saves_accepted"] + replayed[SAVE]
    # A table that is locked between an application and its e-mail costs the e-mail: that is then a failure.
    unsent = sum(row["count"] for row in after["failures"] if row["name"] == "e-mail to the school")
    assert after["emailed"] + unsent >= after["submitted"]


def come_and_go(switches: Switches) -> None:
    """Switch one fault after the other on and off."""
    for fault, seconds in FAULTS.items():
        switches.turn(fault, on=True)
        time.sleep(seconds)
        switches.turn(fault, on=False)
        time.sleep(OFF)


def assert_accounts_agree(counted: dict[str, Any], told: dict[str, Any]) -> None:
    """What the visitors were told is what is there, and each way in which a form may end has been met."""
    for kind in ("saves", "submissions"):
        endings = ("accepted", "received", "refused", "not_kept", "failed")
        assert counted[f"{kind}_sent"] == sum(counted[f"{kind}_{ending}"] for ending in endings)
        assert counted[f"{kind}_failed"] == 0
        assert counted[f"{kind}_accepted"] > 0
    # How few visitors there are in the seconds of a fault depends on the machine: of one kind some are met.
    assert counted["saves_received"] + counted["submissions_received"] > 0
    assert counted["saves_refused"] + counted["saves_not_kept"] > 0
    assert sorted(told["rescued"]) == counted["confirmed"]["references"]
    assert {row["state"] for row in told["rescued"].values()} == {"waiting"}
    assert told["steps"]["updated"] == counted["saves_accepted"]
    assert told["steps"]["submitted"] == told["submitted"]
    assert set(told["applications"]) <= set(counted["confirmed"]["applications"])


def replay_all(demo: Demo, staff: Person, told: dict[str, Any]) -> None:
    """Press "replay all" for each failure, and once more for what waited for a page of another failure.

    What was typed as free text, because its choices were in a dead database, waits for somebody to edit it.
    """
    assert staff.log_in("/admin/login/?next=/admin/", STAFF, STAFF_PASSWORD).good
    failures = list(dict.fromkeys(row["failure"] for row in told["rescued"].values()))
    for _ in range(3):
        for failure in failures:
            assert staff.replay_all(failure).status == 200
        wait_until(lambda: not under_way(demo), what="nothing is being replayed")


def under_way(demo: Demo) -> list[str]:
    """Return the submissions whose replay was asked for and has not ended."""
    rows = demo.told()["rescued"].items()
    return [reference for reference, row in rows if row["state"] in {"queued", "replaying"}]
