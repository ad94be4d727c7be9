"""What our threads do stays out of the host's events, and what their failures tell is about no visitor."""

from __future__ import annotations

import ast
import http.client
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from django.db import connection
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.stdlib import StdlibIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration

import django_qaprod
from django_qaprod import Journey, Step, registry, report
from django_qaprod.contrib.sentry import processing
from django_qaprod.gauges.asking import Asker
from django_qaprod.options import Sentry
from django_qaprod.pipeline import guard, process
from django_qaprod.registry import GaugeSpec
from django_qaprod.sinks.sentry.events import event_of
from django_qaprod.testing import Records, store_records
from django_qaprod.typing import Batch
from tests.endpoints import Endpoint

from .conftest import Kept, Start

INTEGRATIONS = [DjangoIntegration(), LoggingIntegration(), StdlibIntegration(), ThreadingIntegration()]
PACKAGE = Path(django_qaprod.__file__).parent
log = logging.getLogger("jobs.gauges")

# Between two pieces of work the drainer looks after the connections of its thread.
pytestmark = pytest.mark.django_db(databases="__all__")


class Telling:
    """A sink with a thread of its own, which sends by HTTP; Sentry's integration sees that."""

    name = "telling"
    port = 0
    threads: set[str] = set()

    def write(self, batch: Batch) -> None:
        self.threads.add(threading.current_thread().name)
        sent = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent.request("POST", "/ours")
        sent.getresponse().read()
        sent.close()
        sentry_sdk.capture_message("from the sink")

    def close(self) -> None: ...


def crumbs(event: dict[str, Any]) -> list[str]:
    return [str(crumb.get("message") or crumb["data"]) for crumb in event["breadcrumbs"]["values"]]


@pytest.fixture
def drained(start: Start) -> Callable[..., Kept]:
    """Drain to a sink with a thread of its own in the middle of a transaction of the host's."""

    def drain(**given: Any) -> Kept:
        kept = start(integrations=INTEGRATIONS, traces_sample_rate=1.0, **given)
        with Endpoint() as endpoint, process.in_memory(sinks=(f"{__name__}.Telling",)) as drainer:
            Telling.port = endpoint.port
            Telling.threads.clear()
            with sentry_sdk.start_transaction(name="the host's"):
                with sentry_sdk.start_span(op="theirs"):
                    sentry_sdk.add_breadcrumb(message="theirs")
                report(LookupError("x"))
                drainer.drain()
                sentry_sdk.capture_message("from the host")
            drainer.release()
        assert Telling.threads == {"qaprod-sink"}
        return kept

    return drain


def test_requests_of_a_sink_s_thread_are_no_breadcrumbs(drained: Callable[..., Kept]) -> None:
    kept = drained()
    events = {event["message"]: event for event in kept.events if "message" in event}
    assert crumbs(events["from the host"]) == ["theirs"]
    assert crumbs(events["from the sink"]) == [], "nor are the host's its own"


def test_spans_of_a_sink_s_thread_are_not_the_request_s(drained: Callable[..., Kept]) -> None:
    (transaction,) = drained().transactions
    assert [span["op"] for span in transaction["spans"]] == ["theirs"]


def test_what_is_stored_leaves_no_breadcrumbs(start: Start) -> None:
    kept = start(integrations=INTEGRATIONS)
    with store_records() as store:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 17")
        report(LookupError("x"))
        assert store.drain().delivered
    sentry_sdk.capture_message("afterwards")
    assert crumbs(kept.events[-1]) == ["SELECT 17"]


def test_the_host_s_own_function_goes_on_to_choose_its_breadcrumbs(drained: Callable[..., Kept]) -> None:
    def chosen(crumb: Any, hint: Any) -> Any:
        return {**crumb, "message": f"chosen {crumb['message']}"} if "theirs" in str(crumb) else crumb

    kept = drained(before_breadcrumb=chosen)
    (event,) = [event for event in kept.events if event.get("message") == "from the host"]
    assert crumbs(event) == ["chosen theirs"]


def read(name: str, function: Callable[[], Any]) -> None:
    asker = Asker()
    asker.ask(GaugeSpec(name=name, read=function, place=name, every=60, timeout=60))
    assert asker.wait(60)


def test_a_gauge_that_fails_says_which_and_nothing_of_who_was_served(start: Start, records: Records) -> None:
    def unreachable() -> int:
        log.info("asking")
        raise ConnectionError("refused")

    kept = start(integrations=INTEGRATIONS)
    with sentry_sdk.isolation_scope() as scope:
        scope.set_user({"id": "7"})
        scope.set_tag("visitor", "theirs")
        scope.add_event_processor(lambda event, hint: {**event, "request": {"url": "https://x/theirs"}})
        sentry_sdk.add_breadcrumb(message="theirs")
        read("orders.open", unreachable)
    (event,), (failure,) = kept.events, records.failures
    assert event["event_id"] == failure.extra["sentry_event"]
    assert (event["transaction"], event["tags"]["gauge"]) == ("orders.open", "orders.open")
    assert event["tags"]["qaprod.kind"] == "gauge"
    assert not {"user", "request"} & event.keys()
    assert "visitor" not in event["tags"]
    assert crumbs(event) == [line.message for line in failure.lines]


def test_tags_of_the_process_are_on_what_our_threads_report(start: Start, records: Records) -> None:
    def unreachable() -> int:
        raise ConnectionError("refused")

    kept = start(integrations=INTEGRATIONS)
    scope = sentry_sdk.get_global_scope()
    scope.set_tag("region", "eu")
    try:
        read("orders.open", unreachable)
    finally:
        scope.remove_tag("region")
    assert [event["tags"]["region"] for event in kept.events] == ["eu"]


def test_an_error_that_a_gauge_logs_says_of_which(start: Start, records: Records) -> None:
    def complaining() -> int:
        log.error("only half of it")
        return 1

    kept = start(integrations=INTEGRATIONS)
    read("orders.open", complaining)
    assert [event["tags"]["gauge"] for event in kept.events] == ["orders.open"]


def test_gauges_that_are_no_numbers_are_not_one_group(start: Start, records: Records) -> None:
    kept = start(integrations=INTEGRATIONS)
    for name in ("orders.open", "queue.length"):
        read(name, lambda: "many")
    groups = [event["fingerprint"] for event in kept.events]
    assert groups == [["{{ default }}", "orders.open"], ["{{ default }}", "queue.length"]]
    ours = [event_of(failure, Sentry()) for failure in records.failures]
    assert [event["fingerprint"] for event in ours] == groups
    assert [event["transaction"] for event in ours] == ["orders.open", "queue.length"]
    assert event_of(records.failures[0], Sentry(fingerprint=True))["fingerprint"] == [
        records.failures[0].fingerprint
    ]


def test_breadcrumbs_of_the_host_s_functions_that_we_call_in_a_request_stay(
    start: Start, records: Records
) -> None:
    def subject(result: object) -> str:
        sentry_sdk.add_breadcrumb(message="looking up")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 17")
        return "a-1"

    kept = start(integrations=INTEGRATIONS)
    with registry.isolated():

        class Vacancy(Journey):
            filled = Step()

        Vacancy.filled.track(subject=subject)(lambda: 1)()
    sentry_sdk.capture_message("afterwards")
    assert [event.subject for event in records.events] == ["a-1"]
    assert crumbs(kept.events[-1]) == ["looking up", "SELECT 17"]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("qaprod", False),
        ("qaprod-sink", False),
        ("qaprod-gauge-orders.open", False),
        ("OtelBatchSpanRecordProcessor", False),
        ("qaprod_shop-export_0", True),
        ("qaprod-shop", True),
        ("", True),
    ],
)
def test_threads_are_ours_by_their_whole_name(name: str, left: bool, start: Start, records: Records) -> None:
    kept = start(integrations=INTEGRATIONS, traces_sample_rate=1.0)
    found: list[Any] = []

    def work() -> None:
        with sentry_sdk.start_span(op="theirs"), guard.guard("x"):
            sentry_sdk.add_breadcrumb(message="theirs")
        sentry_sdk.capture_message("afterwards")
        found.append(crumbs(kept.events[-1]))

    with sentry_sdk.start_transaction(name="the host's"):
        thread = threading.Thread(target=work, name=name or None)
        thread.start()
        thread.join(60)
    assert found == [["theirs"] if left else []]
    (transaction,) = kept.transactions
    assert [span["op"] for span in transaction["spans"]] == (["theirs"] if left else [])


def test_every_thread_that_we_start_has_a_name_that_is_known() -> None:
    found = {name for path in PACKAGE.rglob("*.py") for name in names_of_threads(path)}
    ours = {name for name in processing.OUR_THREADS if name.startswith("qaprod")}
    assert found == ours | {processing.OUR_GAUGES}


def names_of_threads(path: Path) -> Iterator[str]:
    """Yield the names that a module gives to threads; of an f-string its beginning."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Thread", "threading.Thread"}:
            (name,) = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
            first = name.values[0] if isinstance(name, ast.JoinedStr) else name
            assert isinstance(first, ast.Constant)
            yield str(first.value)
