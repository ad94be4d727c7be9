"""Whatever a label holds, it becomes one part of one name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.options import StatsD
from django_qaprod.sinks.statsd.names import DURATION, MAX_PART, Names, dotted, part, tag

ANYTHING = st.text(max_size=300) | st.text(st.characters(codec="ascii"), max_size=300)
HOSTILE = [
    "a:1|c\nb:1|c",
    "x|#admin:true",
    "y|@0.001",
    "a,b",
    "a;b=c",
    "\x00",
    "\ud800",
    "．：｜＠",
    "\u2028",
    "💥",
]
PAIRS = (("http.route", "jobs/<int:pk>/apply/"), ("qaprod.outcome", "ok"))


@pytest.mark.parametrize(
    ("label", "name", "value"),
    [
        ("jobs/<int:pk>/apply/", "jobs-int_pk-apply", "jobs/int_pk/apply"),
        (r"^articles/(?P<year>[0-9]{4})/$", "articles-year", "articles/year"),
        (r"^a/(?P<year>\d+)-(?P<month>\d+)$", "a-year-month", "a/year-month"),
        ("/", "__root__", "__root__"),
        ("", "none", "none"),
        ("__unmatched__", "__unmatched__", "__unmatched__"),
        ("api/v1.2/pay", "api-v1_2-pay", "api/v1.2/pay"),
        ("job application", "job_application", "job_application"),
        ("sink.statsd.too_old", "sink_statsd_too_old", "sink.statsd.too_old"),
    ],
)
def test_a_label_stays_readable(label: str, name: str, value: str) -> None:
    assert (part(label), tag(label)) == (name, value)


def test_what_lost_its_letters_is_told_apart_by_a_digest() -> None:
    assert re.fullmatch(r"Lehrer-fur-Zurich-[0-9a-f]{8}", part("Lehrer/für/Zürich"))
    assert re.fullmatch(r"_-[0-9a-f]{8}", part("応募"))
    assert part("応募") != part("採用")
    assert part("a" * 200) != part("a" * 201)
    assert len(part("a" * 200)) == MAX_PART


@given(ANYTHING | st.sampled_from(HOSTILE))
def test_a_part_has_only_what_no_daemon_takes_for_anything_else(label: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", part(label))
    assert re.fullmatch(r"[A-Za-z0-9_./-]{1,100}", tag(label))
    assert re.fullmatch(r"[A-Za-z0-9_.-]{0,100}", dotted(label))
    assert ".." not in dotted(label)


def test_a_plain_name_has_its_attributes_in_their_places() -> None:
    names = Names(StatsD(prefix="shop."))
    before, behind = names.of(DURATION.name, "apply/", PAIRS)
    assert before == "shop.http.server.request.duration.none.jobs-int_pk-apply.none.ok"
    assert behind == ""


def test_a_tagged_name_has_the_constant_tags_first_and_no_empty_ones() -> None:
    names = Names(StatsD(prefix="shop", tag_style="datadog", tags={"env": "live", "a b": "c,d|#e"}))
    assert names.of(DURATION.name, "apply/", PAIRS) == (
        "shop.http.server.request.duration",
        "|#env:live,a_b:c_d_e,http.route:jobs/int_pk/apply,qaprod.outcome:ok",
    )
    assert Names(StatsD(tag_style="datadog")).of("queue", "") == ("queue", "")


def test_what_has_run_over_keeps_its_label() -> None:
    assert Names(StatsD()).of("qaprod.steps", "__overflow__")[0] == "qaprod.steps.__overflow__.none.none"


def test_a_gauge_of_the_host_is_followed_by_what_it_has() -> None:
    names = Names(StatsD())
    assert names.of("queue.length", "queue.length")[0] == "queue.length"
    assert names.of("queue.length", "mail")[0] == "queue.length.mail"
    assert (
        names.of("queue.length", "web-1 x", (("host.name", "web-1"), ("q", "x")))[0] == "queue.length.web-1.x"
    )
    assert names.of(".", "")[0] == "none"


@given(
    name=ANYTHING,
    label=ANYTHING | st.sampled_from(HOSTILE),
    pairs=st.lists(st.tuples(ANYTHING, ANYTHING), max_size=4).map(tuple),
    constant=st.dictionaries(ANYTHING, ANYTHING, max_size=2),
    prefix=ANYTHING,
)
def test_no_label_can_end_a_name_or_begin_a_tag(
    name: str,
    label: str,
    pairs: tuple[tuple[str, str], ...],
    constant: dict[str, str],
    prefix: str,
) -> None:
    before, behind = Names(StatsD(prefix=prefix)).of(name, label, pairs)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", before)
    assert behind == ""
    tagged = Names(StatsD(prefix=prefix, tag_style="datadog", tags=constant))
    before, behind = tagged.of(name, label, pairs)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", before)
    one = r"[A-Za-z0-9_./-]+:[A-Za-z0-9_./-]+"
    assert re.fullmatch(rf"(?:\|#{one}(?:,{one})*)?", behind)
