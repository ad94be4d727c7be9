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
| our reads go to a replica that lags behind | test_no_read_of_ours_goes_to_a_replica |
| pruning inside requests | test_what_is_old_is_deleted_by_the_worker_alone |
| pruning takes long transactions | test_events_are_deleted_some_at_a_time |
| pruning has no end | store/test_retention.py::test_a_run_without_time_deletes_nothing |
| migrations lock tables that are in use | test_no_migration_locks_a_table_that_is_in_use |
| roll-ups stop at the hour that comes twice | store/test_rollups.py::test_the_hour_that_comes_twice_does_not_stop_roll_ups |
| host tests: queries are counted | testing/test_plugin.py::test_the_host_s_queries_are_what_they_were |
| host tests: something is started | pipeline/test_process.py::test_pytest_starts_nothing_before_the_test_environment_is_there |
| host tests: no database | live/test_startproject.py::test_the_host_s_tests_pass_and_count_the_same_queries |

Not yet there: ``serve_form`` (ATOMIC_REQUESTS and the order of decorators). No outbox exists.
"""  # noqa: E501

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, router, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import CreateModel
from django.db.models import ForeignKey, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_qaprod import Journey, Step, clock, registry, routers
from django_qaprod.models import Event, Failure
from django_qaprod.pipeline import process
from django_qaprod.records import new_id
from django_qaprod.store import events, retention
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


class ReadingFromReplica:
    """A host's router, as it stands in Django's documentation."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return "primary"


def test_no_read_of_ours_goes_to_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "routers", [ReadingFromReplica()])
    routers.install()
    for model in apps.get_app_config("qaprod").get_models():
        assert router.db_for_read(model) == router.db_for_write(model)
        assert router.db_for_read(model) not in {"replica", "primary"}
    assert router.db_for_read(apps.get_model("shop", "Order")) == "replica"


def an_old_event(number: int = 0) -> None:
    at = clock.now() - timedelta(days=1000)
    Event.objects.create(id=new_id(at.timestamp()), at=at, journey="J", step="s", subject=str(number))


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_what_is_old_is_deleted_by_the_worker_alone() -> None:
    at = clock.now() - timedelta(days=1000)
    Failure.objects.create(fingerprint="old", kind="unhandled", error_type="E", first_seen=at, last_seen=at)
    an_old_event()
    with store_records() as store:
        client = Client(raise_request_exception=False)
        assert [client.get(address).status_code for address in ("/ok/", "/raising/")] == [200, 500]
        store.drain()
    assert Failure.objects.filter(fingerprint="old").exists()
    assert Event.objects.exists()
    retention.prune()
    retention.prune_events()
    assert not Failure.objects.filter(fingerprint="old").exists()
    assert not Event.objects.exists()


@pytest.mark.django_db(databases="__all__")
def test_events_are_deleted_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    monkeypatch.setattr(retention, "_BATCH_BESIDE_THE_HOST", 2)
    for number in range(5):
        an_old_event(number)
    with CaptureQueriesContext(connection) as queries:
        assert retention.prune_events() == 5
    said = [query["sql"].split()[0] for query in queries if query["sql"].split()[0] != "SELECT"]
    assert said == ["SAVEPOINT", "DELETE", "RELEASE"] * 3, "each in a transaction of its own"


def test_no_migration_locks_a_table_that_is_in_use() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    ours = [migration for (app, _), migration in loader.disk_migrations.items() if app == "qaprod"]
    for migration in ours:
        made: set[str] = set()
        for operation in migration.operations:
            if isinstance(operation, CreateModel):
                made.add(operation.name_lower)
                targets = [
                    str(field.remote_field.model)
                    for _, field in operation.fields
                    if isinstance(field, ForeignKey)
                ]
                # A foreign key locks the table that it points to.
                assert all(target.lower().removeprefix("qaprod.") in made for target in targets)
            else:
                # In a later one: concurrently, and not atomic.
                assert getattr(operation, "model_name", "").lower() in made, f"{migration}: {operation}"
    assert ours
