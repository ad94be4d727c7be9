"""The demo under the visitors' traffic: its numbers are theirs, and it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from example_project.accounts import STAFF, STAFF_PASSWORD, TEACHERS, TEACHERS_PASSWORD
from tests.servers import Postgres, wait_until

from .demo import TIMEOUTS, Demo, Person, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

#: Where no fault is on, nothing of the site's own is too slow for it.
UNHURRIED = {"EXAMPLE_TIMEOUTS": str(TIMEOUTS)}

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def assert_counts_agree(demo: Demo) -> None:
    """The package has counted what the visitors have counted."""
    counted, told = demo.counted(), demo.told()
    assert counted["unanswered"] == 0, demo.output()
    assert told["requests"] == counted["requests"]
    assert sum(told["by"].get(status, 0) for status in counted["statuses"]) == counted["requests"]
    assert told["by"].get("server_error", 0) == counted["error_pages"]
    assert told["steps"].get("started", 0) == counted["starts_accepted"]
    assert told["steps"].get("updated", 0) == counted["saves_accepted"]
    assert told["steps"].get("submitted", 0) == told["submitted"]
    assert told["applications"] == counted["confirmed"]["applications"]


@on_linux
def test_numbers_are_those_of_the_visitors(tmp_path: Path) -> None:
    """Two workers, some dozen visitors: nothing is lost and nothing is counted twice."""
    with running(tmp_path, "--traffic", "6", "--pace", "0.1", environment=UNHURRIED) as demo:
        demo.until(submissions_accepted=8, requests=200)
        assert demo.end() == 0, demo.output()
        assert demo.alive() == []
        counted, told = demo.counted(), demo.told()
        assert counted["error_pages"] == 0, (told["failures"], counted)
        assert counted["forms_served"] == counted["forms_asked"]
        assert told["failures"] == []
        assert told["emailed"] == told["submitted"]
        assert_counts_agree(demo)


def test_with_the_profile_service_dead_the_forms_are_served(tmp_path: Path) -> None:
    """The visitors get every form that they ask for; the admin knows which of them were degraded."""
    arguments = ("--traffic", "6", "--pace", "0.1", "--fault", "dead-profiles")
    with running(tmp_path, *arguments, environment=UNHURRIED) as demo:
        demo.until(forms_served=40)
        assert demo.end() == 0, demo.output()
        counted, told = demo.counted(), demo.told()
        assert counted["error_pages"] == 0
        assert counted["forms_served"] == counted["forms_asked"] > 0
        (failure,) = told["failures"]
        assert (failure["kind"], failure["name"]) == ("degraded", "profile prefill")
        assert failure["served"] == failure["count"]
        assert told["by"]["degraded"] >= failure["count"]
        assert_counts_agree(demo)


def test_with_the_table_locked_errors_are_recorded_all_the_same(tmp_path: Path) -> None:
    """Pages are served, nothing can be written, and each of the 500s is an occurrence."""
    arguments = ("--traffic", "2", "--pace", "0.1", "--fault", "locked-table")
    with running(tmp_path, *arguments) as demo:
        demo.until(starts_not_kept=1, error_pages=2)
        assert demo.end() == 0, demo.output()
        assert_all_writes_failed(demo)


@pytest.mark.postgres
def test_the_demo_runs_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    """With one variable in the environment; a locked table there is a lock timeout."""
    postgres.create_database("example")
    address = f"postgresql://{postgres.user}@127.0.0.1:{postgres.port}/example"
    environment = {"EXAMPLE_DATABASE": address}
    arguments = ("--traffic", "4", "--pace", "0.1")
    with running(tmp_path, *arguments, environment=environment | UNHURRIED) as demo:
        demo.until(submissions_accepted=3)
        assert demo.end() == 0, demo.output()
        assert demo.counted()["error_pages"] == 0
        assert_counts_agree(demo)
    with running(tmp_path, *arguments, "--fault", "locked-table", environment=environment) as demo:
        demo.until(error_pages=1)
        assert demo.end() == 0, demo.output()
        assert "OperationalError" in {
            failure["type"].rpartition(".")[2] for failure in demo.told()["failures"]
        }


def assert_all_writes_failed(demo: Demo) -> None:
    """Nothing was started, and the pages say so; the errors are counted, what is read was served."""
    counted, told = demo.counted(), demo.told()
    assert counted["starts_accepted"] == 0
    assert counted["starts_not_kept"] > 0
    assert counted["error_pages"] > 0
    assert counted["statuses"]["200"] > 0
    assert {failure["type"].rpartition(".")[2] for failure in told["failures"]} == {"OperationalError"}
    assert sum(failure["count"] for failure in told["failures"]) == counted["error_pages"]
    assert told["requests"] == counted["requests"]


def test_a_fault_is_in_the_admin_within_seconds(tmp_path: Path) -> None:
    """Switched on, met by a teacher who is served, and there: the failure, the request, the journey."""
    with running(tmp_path, "--traffic", "0") as demo:
        url = demo.url()
        assert f"{url}/admin/qaprod/rescuedsubmission/" in demo.output()
        staff, teacher = Person(url), Person(url)
        assert staff.log_in("/admin/login/?next=/admin/", STAFF, STAFF_PASSWORD).good
        assert teacher.log_in("/accounts/login/?next=/vacancies/", TEACHERS[0], TEACHERS_PASSWORD).good
        assert "On</span>" in staff.switch("missing-data").text

        vacancy = teacher.browser.get(teacher.browser.get("/vacancies/").page.links_to("/vacancies/")[0])
        start = vacancy.page.form("start")
        assert start is not None
        form = teacher.browser.send(start, vacancy.path)
        assert form.page.form("application") is not None

        def shown(path: str, text: str) -> bool:
            return text in staff.browser.get(path).text

        wait_until(lambda: shown("/admin/qaprod/failure/", "IndexError"), what="the failure is listed")
        wait_until(
            lambda: shown("/admin/qaprod/requestpage/", "form/&lt;slug:page&gt;"),
            what="the request is listed",
        )
        wait_until(
            lambda: shown("/admin/qaprod/journeypage/", "Job application"), what="the journey is shown"
        )
        failures = staff.browser.get("/admin/qaprod/failure/").page
        (failure,) = {link for link in failures.links if link.endswith("/change/")}
        assert "1 of 1" in staff.browser.get(failure).text


@on_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, or the end that a supervisor asks for, in the middle of traffic."""
    with running(tmp_path, "--traffic", "3", "--pace", "0.2", environment=UNHURRIED) as demo:
        demo.until(requests=10)
        assert len(demo.alive()) > 4
        assert demo.end(number) == 0, demo.output()
        assert demo.alive() == []
        assert_counts_agree(demo)


@on_linux
def test_when_one_process_dies_the_others_are_ended(tmp_path: Path) -> None:
    """The demo says which one it was, and its exit status says that it was not wanted."""
    with running(tmp_path, "--traffic", "0") as demo:
        demo.url()
        for pid in demo.alive():
            # Another of them, a command that the importer runs, may be at its end.
            with suppress(FileNotFoundError, ProcessLookupError):
                if b"hold_lock" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        assert demo.wait() == 1
        assert "The lock holder has ended by itself" in demo.output()
        assert demo.alive() == []


@on_linux
def test_killed_it_leaves_nobody_behind(tmp_path: Path) -> None:
    """Even kill -9 of the demo itself ends what it has started."""
    with running(tmp_path, "--traffic", "1") as demo:
        demo.url()
        demo.process.kill()
        demo.wait()
        wait_until(lambda: demo.alive() == [], timeout=120, what="all have ended")


def test_history_is_loaded_once_and_marked(tmp_path: Path) -> None:
    """Nine weeks of applications, four of all else; a second start adds nothing."""
    arguments = ("--traffic", "0", "--seconds", "1", "--history")
    with running(tmp_path, *arguments) as demo:
        assert demo.wait(600) == 0, demo.output()
        first = demo.told()
    assert first["steps"]["started"] > 4000
    assert first["steps"]["submitted"] < first["steps"]["started"]
    assert all("generated" in failure["message"] for failure in first["failures"])
    assert "Generated history: none of this happened." in first["notes"]
    with running(tmp_path, *arguments) as demo:
        assert demo.wait() == 0, demo.output()
        assert "it is there already" in demo.output()
        assert demo.told() == first
