"""A host's tests see what would be recorded, and nothing is recorded in a test that did not ask."""

from __future__ import annotations

import pytest
from django.test import AsyncClient, Client
from pytest_django import Settings

from django_qaprod import Journey, Step, conf, registry, testing
from django_qaprod.models import Event, Failure
from django_qaprod.pipeline import numbers, process
from django_qaprod.pipeline.failures import report
from django_qaprod.testing import capture_records, store_records
from django_qaprod.typing import Batch

MESSAGE = "the shop is on fire"


class RefusedSink:
    """A sink of production."""

    name = "refused"

    def write(self, batch: Batch) -> None:
        raise AssertionError("a test sent something to a sink of production")

    def close(self) -> None: ...


def outcomes(records: testing.Records) -> list[tuple[str, str, int]]:
    return sorted(
        (cell.label, dict(cell.attributes)["qaprod.outcome"], cell.count) for cell in records.requests
    )


def test_requests_and_failures_are_captured(client: Client) -> None:
    client.raise_request_exception = False
    with capture_records() as found:
        client.get("/ok/")
        client.get("/ok/")
        client.get("/raising/")
        assert outcomes(found) == [("ok/", "ok", 2), ("raising/", "server_error", 1)]
    [failure] = found.failures
    assert (failure.kind, failure.message) == ("unhandled", MESSAGE)


async def test_async_views_too(async_client: AsyncClient) -> None:
    async_client.raise_request_exception = False
    with capture_records() as found:
        await async_client.get("/aok/")
        await async_client.get("/araising/")
    assert outcomes(found) == [("aok/", "ok", 1), ("araising/", "server_error", 1)]
    assert [failure.message for failure in found.failures] == [MESSAGE]


def test_events_are_captured_without_a_database() -> None:
    with registry.isolated(), capture_records() as found:

        class Ordering(Journey):
            started = Step()

        Ordering.started.record("order-1")
    [event] = found.events
    assert (event.journey, event.step, event.subject) == ("ordering", "started", "order-1")


def test_what_is_recorded_after_the_block_is_not_captured(client: Client) -> None:
    with capture_records() as found:
        pass
    client.get("/ok/")
    numbers.count("counted", "x")
    assert found.records == []
    with capture_records() as second:
        pass
    assert second.records == [], "what was counted between the blocks belongs to nobody"


def test_what_was_captured_can_be_forgotten(client: Client) -> None:
    with capture_records() as found:
        client.get("/ok/")
        found.clear()
        assert found.requests == []
        client.get("/ok/")
        assert outcomes(found) == [("ok/", "ok", 1)]


def test_blocks_nest() -> None:
    with capture_records() as outer:
        with capture_records() as inner:
            report(ValueError("inner"))
        report(ValueError("outer"))
    assert [failure.message for failure in inner.failures] == ["inner"]
    assert [failure.message for failure in outer.failures] == ["outer"]


def test_an_error_in_the_block_leaves_nothing_active() -> None:
    with pytest.raises(ZeroDivisionError), capture_records():
        _ = 1 / 0
    assert not process.recording()


@pytest.mark.django_db(databases=sorted({"default", conf.telemetry_alias()}))
def test_what_is_stored_goes_into_the_test_database_alone(client: Client, settings: Settings) -> None:
    settings.QAPROD = {"SINKS": [f"{__name__}.RefusedSink"]}
    client.raise_request_exception = False
    with store_records() as store:
        client.get("/raising/")
        assert Failure.objects.count() == 0
        report_ = store.drain()
    assert report_.failing == ()
    assert [failure.message for failure in Failure.objects.all()] == [MESSAGE]


@pytest.mark.django_db(databases=sorted({"default", conf.telemetry_alias()}))
def test_events_are_written_at_once_as_in_production() -> None:
    with registry.isolated(), store_records():

        class Ordering(Journey):
            started = Step()

        Ordering.started.record("order-1")
        assert Event.objects.get().subject == "order-1"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testing.nothing  # type: ignore[attr-defined]
