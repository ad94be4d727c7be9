"""Each kind of record, as the lines that go out for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod import histogram
from django_qaprod.options import StatsD
from django_qaprod.pipeline import guard
from django_qaprod.records import Cell, Record
from django_qaprod.sinks.statsd.lines import Sums
from django_qaprod.sinks.statsd.names import Names
from django_qaprod.sinks.statsd.packets import pack
from tests.store.make import cell, failure, numbers, trouble

PLAIN = StatsD()
TAGGED = StatsD(tag_style="datadog", tags={"env": "live"})


def lines(*records: Record, chosen: StatsD = PLAIN, samples: int = 50) -> list[str]:
    sums = Sums()
    for record in records:
        sums.add(record)
    return list(sums.lines(Names(chosen), samples=samples))


def requests(*seconds: float, **fields: Any) -> Cell:
    return cell(
        attributes=(
            ("http.request.method", "GET"),
            ("http.route", "jobs/<int:pk>/"),
            ("http.response.status_code", "200"),
            ("qaprod.outcome", "ok"),
        ),
        count=len(seconds),
        total=sum(seconds),
        minimum=min(seconds),
        maximum=max(seconds),
        histogram=histogram.encode(histogram.of(seconds)),
        **fields,
    )


def gauge(name: str, *values: float, label: str = "") -> Cell:
    return cell(name, label, attributes=(), count=len(values), total=sum(values), gauge=True)


def test_requests_are_an_exact_counter_and_a_timer() -> None:
    assert lines(numbers(requests(0.25))) == [
        "qaprod.requests.GET.jobs-int_pk.200.ok:1|c",
        "http.server.request.duration.GET.jobs-int_pk.200.ok:250.000|ms",
    ]


def test_with_tags_what_varies_stands_behind() -> None:
    tags = (
        "|#env:live,http.request.method:GET,http.route:jobs/int_pk"
        ",http.response.status_code:200,qaprod.outcome:ok"
    )
    assert lines(numbers(requests(0.25, 0.25, 0.25, 0.25)), chosen=TAGGED, samples=2) == [
        f"qaprod.requests:4|c{tags}",
        f"http.server.request.duration:250.000|ms|@0.5{tags}",
        f"http.server.request.duration:250.000|ms|@0.5{tags}",
    ]


def test_what_several_processes_counted_is_one_series() -> None:
    found = lines(numbers(requests(0.25)), numbers(requests(0.25, 0.5)))
    assert found[0] == "qaprod.requests.GET.jobs-int_pk.200.ok:3|c"
    assert len(found) == 4


def test_failures_and_degradations_are_counted_apart() -> None:
    apples = failure(route="apply/", journey="job_application")
    assert lines(
        apples,
        apples,
        failure(kind="task", severity="critical", name="jobs.tasks.send"),
        failure(kind="gauge", name="open orders"),
        failure(kind="gauge", name="queue"),
        failure(kind="logged", name="anything"),
        failure(kind="degraded", severity="warning", name="school search", route="apply/"),
    ) == [
        "qaprod.failures.unhandled.error.job_application.apply.none:2|c",
        "qaprod.failures.task.critical.none.none.jobs_tasks_send:1|c",
        "qaprod.failures.gauge.error.none.none.open_orders:1|c",
        "qaprod.failures.gauge.error.none.none.queue:1|c",
        "qaprod.failures.logged.error.none.none.none:1|c",
        "qaprod.degradations.school_search.warning.none.apply:1|c",
    ]


def test_which_gauge_has_failed_is_a_tag_where_there_are_tags() -> None:
    assert lines(failure(kind="gauge", name="queue"), chosen=StatsD(tag_style="datadog")) == [
        "qaprod.failures:1|c|#qaprod.kind:gauge,qaprod.severity:error,qaprod.name:queue",
    ]


def test_steps_browsers_and_breakers_are_counted() -> None:
    taken = (("qaprod.journey", "apply"), ("qaprod.step", "started"))
    browsed = (("http.route", "apply/"), ("browser", "firefox"), ("qaprod.outcome", "ok"))
    assert lines(
        numbers(
            cell("qaprod.steps", "apply", attributes=taken, count=3),
            cell("qaprod.steps", "apply", attributes=(*taken, ("qaprod.variant", "short form")), count=2),
            cell("qaprod.requests.browser", "apply/", attributes=browsed, count=5),
            cell("qaprod.degraded.short_circuited", "search", attributes=(), count=7),
        )
    ) == [
        "qaprod.steps.apply.started.none:3|c",
        "qaprod.steps.apply.started.short_form:2|c",
        "qaprod.requests.browser.apply.firefox.ok:5|c",
        "qaprod.degraded.short_circuited.search:7|c",
    ]


def test_our_own_troubles_are_counted() -> None:
    assert lines(trouble(errors={"sink.sentry": 2}, dropped={"spool.full": 9})) == [
        "qaprod.internal.errors.sink_sentry:2|c",
        "qaprod.internal.dropped.spool_full:9|c",
    ]


def test_a_gauge_is_the_mean_of_what_was_read() -> None:
    assert lines(numbers(gauge("queue.length", 4, 5)), numbers(gauge("queue.length", 6))) == [
        "queue.length:5.0|g"
    ]


def test_a_negative_gauge_is_no_change() -> None:
    assert lines(numbers(gauge("balance", -2.5))) == ["balance:0|g\nbalance:-2.5|g"]
    assert lines(numbers(gauge("balance", -0.0))) == ["balance:0.0|g"]


def test_a_gauge_that_is_no_number_is_not_sent() -> None:
    assert lines(numbers(gauge("huge", 1e308, 1e308), gauge("never"))) == ["never:0.0|g"]


TEXT = st.text(max_size=80)
FAILURE = st.builds(
    failure, journey=TEXT, route=TEXT, name=TEXT, kind=st.sampled_from(["unhandled", "degraded"])
)
NUMBERS = st.builds(
    lambda name, label, pairs: numbers(cell(name, label, attributes=pairs)),
    TEXT,
    TEXT,
    st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)


@given(st.lists(FAILURE | NUMBERS, min_size=1, max_size=5), st.sampled_from([PLAIN, TAGGED]))
def test_no_label_makes_a_line_of_its_own(records: list[Any], chosen: StatsD) -> None:
    found = lines(*records, chosen=chosen)
    assert 1 <= len(found) <= len(records)
    for line in found:
        value, *more = line.partition(":")[2].split("|")
        assert value.isdigit()
        assert more[0] == "c"
        assert [one[0] for one in more[1:]] == (["#"] if chosen is TAGGED else [])
        assert line.isascii()
        assert line.isprintable()


class TestPackets:
    def test_as_many_lines_as_fit_and_none_is_split(self) -> None:
        assert list(pack(["a" * 10, "b" * 10, "c" * 10, "d"], 21)) == [
            b"aaaaaaaaaa\nbbbbbbbbbb",
            b"cccccccccc\nd",
        ]

    def test_a_line_that_is_too_long_is_dropped_and_counted(self) -> None:
        guard.take()
        assert list(pack(["a" * 22, "b"], 21)) == [b"b"]
        tally = guard.take()
        assert tally is not None
        assert tally.dropped == {"sink.statsd.too_long": 1}

    def test_nothing_is_no_packet(self) -> None:
        assert list(pack([], 100)) == []

    @given(st.lists(st.text("ab", min_size=1, max_size=30), max_size=40), st.integers(30, 100))
    def test_everything_arrives_in_order_in_packets_that_are_small_enough(
        self, given_lines: list[str], most: int
    ) -> None:
        packets = list(pack(given_lines, most))
        assert all(0 < len(packet) <= most for packet in packets)
        assert "\n".join(given_lines).encode() == b"\n".join(packets)


@pytest.mark.parametrize("chosen", [PLAIN, TAGGED], ids=["plain", "tagged"])
def test_the_longest_names_fit_into_a_packet(chosen: StatsD) -> None:
    long = "x" * 500
    for line in lines(failure(route=long, journey=long, name=long, kind="degraded"), chosen=chosen):
        assert len(line) < chosen.max_packet
