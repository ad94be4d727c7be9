"""The database.

| what goes wrong | test |
|---|---|
| an error swallowed inside ``atomic()`` breaks the transaction | degradation/test_degrade.py::test_an_error_of_the_database_leaves_the_transaction_usable |
| half of the failed work stays | degradation/test_degrade.py::test_in_a_transaction_the_work_of_what_failed_is_taken_back_and_the_rest_stays |
| a failing event INSERT breaks the host's transaction | journeys/test_recording.py::test_a_refused_event_leaves_the_work_alone_and_arrives_later |
| an ``on_commit`` callback of ours that raises skips the host's | test_a_callback_of_ours_that_fails_skips_none_of_the_host_s |
| NUL, NaN, lone surrogates, overlong text | journeys/test_recording.py::test_hostile_text_is_stored |
| the same in failures | pipeline/test_failures.py::test_hostile_errors_are_recorded_all_the_same |
| a claim by read-then-write has many winners | store/test_concurrency.py::test_of_many_workers_one_gets_the_lease |
| the same of a person's decision | store/test_concurrency.py::test_two_people_who_press_at_once_change_a_failure_once |
| rows that commit late are lost | store/test_event_rollups.py::test_a_late_commit_replaces_its_hour_and_what_depends_on_it |
| two drainers store a segment twice | store/test_concurrency.py::test_two_drainers_of_one_segment_store_it_once |
| a claim is stuck for ever after a crash | store/test_leases.py::test_it_expires_after_a_crash |
| SQLite: a write of ours between the host's read and write | live/test_live.py::test_sqlite_hosts_are_not_locked_out_by_us |
| SQLite: nobody advises WAL and IMMEDIATE | checks/test_checks.py::test_production_is_told_what_is_promised_of_events |
| the database is down for minutes under load | live/test_live.py::test_no_visitor_notices_that_postgresql_is_down |
| the spool grows without end meanwhile | pipeline/test_spool.py::test_a_spool_at_its_cap_refuses_and_takes_again_when_there_is_room |
| tables are missing before ``migrate`` | sinks/test_outages.py::test_records_wait_for_migrate |
| a second database | foundation/test_routers.py::test_telemetry_can_be_put_elsewhere |
| pruning takes long transactions | store/test_retention.py::test_a_run_without_time_deletes_nothing |
| roll-ups stop at the hour that comes twice | store/test_rollups.py::test_the_hour_that_comes_twice_does_not_stop_roll_ups |
| host tests: queries are counted | testing/test_plugin.py::test_the_host_s_queries_are_what_they_were |
| host tests: something is started | pipeline/test_process.py::test_pytest_starts_nothing_before_the_test_environment_is_there |
| host tests: no database | live/test_startproject.py::test_the_host_s_tests_pass_and_count_the_same_queries |

Not yet there: ``serve_form`` (ATOMIC_REQUESTS and the order of decorators). No outbox exists.
"""  # noqa: E501

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from django_qaprod import Journey, Step, registry
from django_qaprod.pipeline import process
from django_qaprod.store import events
from django_qaprod.testing import store_records


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_a_callback_of_ours_that_fails_skips_none_of_the_host_s(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise DatabaseError("no")

    settings.QAPROD = {"RERAISE": False}
    ran: list[str] = []
    with registry.isolated(), store_records():

        class Fragile(Journey):
            taken = Step()

        monkeypatch.setattr(events, "save", refuse)
        monkeypatch.setattr(process, "submit", refuse)
        with transaction.atomic():
            Fragile.taken.record("1")
            transaction.on_commit(lambda: ran.append("host"))
    assert ran == ["host"]
