from __future__ import annotations

import dataclasses
import json
import linecache
import logging
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import RequestFactory
from django.urls import ResolverMatch
from django.utils.functional import SimpleLazyObject
from pytest_django.fixtures import Settings

from django_qaprod import context, report
from django_qaprod.context import Context
from django_qaprod.pipeline import failures, guard, process, spool
from django_qaprod.pipeline.failures import report_exception
from django_qaprod.records import LogLine, decode, encode
from django_qaprod.testing import Records

CANARY = "c4n4ry-Hunter2"


def fail(message: str = "no school") -> None:
    raise ValueError(message)


def raised(message: str = "no school") -> ValueError:
    try:
        fail(message)
    except ValueError as error:
        return error
    raise AssertionError


@contextmanager
def during(current: Context) -> Iterator[None]:
    token = context.enter(current)
    try:
        yield
    finally:
        context.leave(token)


def serving(path: str = "/apply/12/", route: str = "apply/<int:pk>/", **headers: str) -> Context:
    request = RequestFactory().get(path, **{f"HTTP_{name.upper()}": value for name, value in headers.items()})  # type: ignore[arg-type]
    request.resolver_match = ResolverMatch(fail, (), {}, route=route)
    return Context(request)


def test_what_a_replay_meets_is_told_apart_and_never_critical(records: Records) -> None:
    current = serving()
    current.critical = True
    with during(current):
        report_exception(raised(), kind="unhandled", severity="critical")
        report_exception(raised(), kind="degraded", name="school search")
        logging.getLogger("jobs").critical("no school")
    again = serving()
    again.critical, again.name = True, "jobs.views.apply"
    again.request.qaprod_replay = object()  # type: ignore[union-attr]
    with during(again):
        report_exception(raised(), kind="unhandled", severity="critical")
        report_exception(raised(), kind="degraded", name="school search", severity="critical")
        logging.getLogger("jobs").critical("no school")
    visitors, replays = records.failures[:3], records.failures[3:]
    assert {failure.severity for failure in visitors} == {"critical"}
    assert [(failure.kind, failure.name, failure.severity, failure.critical) for failure in replays] == [
        ("replay", "replay of jobs.views.apply", "error", False),
        ("degraded", "replay of school search", "error", False),
        ("logged", "replay of jobs.views.apply", "error", False),
    ]
    assert len({failure.fingerprint for failure in records.failures}) == 6


def test_a_failure_says_what_happened_where_and_to_whom(records: Records, settings: Settings) -> None:
    settings.QAPROD = {"RELEASE": "2.1"}
    current = serving(user_agent="Mozilla/5.0 Firefox/130.0", x_request_id="abcdef0123456789")
    current.journey, current.subject = "job_application", "vacancy:3"
    current.request.user = User(pk=7)  # type: ignore[union-attr]
    with during(current):
        logging.getLogger("jobs").warning("saved application %d", 3)
        record_id = report_exception(raised(), kind="unhandled")

    (failure,) = records.failures
    assert failure.id == record_id
    assert failure.kind == "unhandled"
    assert failure.severity == "error"
    assert failure.error_type == "ValueError"
    assert failure.message == "no school"
    assert failure.culprit == f"{__name__}.fail"
    assert (failure.route, failure.method) == ("apply/<int:pk>/", "GET")
    assert (failure.journey, failure.subject) == ("job_application", "vacancy:3")
    assert (failure.user, failure.browser, failure.release) == ("7", "Firefox", "2.1")
    assert failure.request_id == "abcdef0123456789"
    assert failure.host == process.host()
    ((line),) = failure.lines
    assert (line.level, line.logger, line.message) == ("WARNING", "jobs", "saved application 3")
    assert len(json.loads(failure.frames)) == len(failure.chain) == 1
    assert decode(encode(failure)) == failure


def test_a_failure_is_recorded_outside_of_a_request(records: Records) -> None:
    report_exception(raised(), kind="command", name="import_vacancies")
    (failure,) = records.failures
    assert (failure.name, failure.request_id, failure.route) == ("import_vacancies", "", "")


def test_the_same_error_is_recorded_once(records: Records, served: Context) -> None:
    error = raised()
    assert report_exception(error, kind="logged")
    assert report_exception(error, kind="unhandled") is None
    assert len(records.failures) == 1


def test_the_mark_survives_pickling(records: Records) -> None:
    error = raised()
    report_exception(error, kind="task")
    assert report_exception(pickle.loads(pickle.dumps(error)), kind="logged") is None
    assert len(records.failures) == 1


def test_an_error_that_allows_no_attributes_is_recorded_once(records: Records) -> None:
    @dataclasses.dataclass(frozen=True)
    class FrozenError(Exception):
        __slots__ = ("code",)
        code: int

    error = FrozenError(3)
    assert report_exception(error, kind="unhandled")
    assert report_exception(error, kind="unhandled") is None
    assert len(records.failures) == 1


def test_one_instance_raised_in_two_requests_is_two_failures(records: Records) -> None:
    always_the_same = raised()
    for _ in range(2):
        with during(serving()):
            report_exception(always_the_same, kind="unhandled")
    assert len(records.failures) == 2


def test_a_new_error_raised_from_a_recorded_one_is_new(records: Records, served: Context) -> None:
    first = raised()
    report_exception(first, kind="logged")
    second = RuntimeError("as a consequence")
    second.__cause__ = first
    assert report_exception(second, kind="unhandled")
    assert [link.relation for link in records.failures[1].chain] == ["", "cause"]


def test_a_group_is_new_unless_all_its_members_were_recorded(records: Records, served: Context) -> None:
    first, second = raised("one"), raised("two")
    report_exception(first, kind="logged")
    assert report_exception(ExceptionGroup("both", [first, second]), kind="unhandled")
    report_exception(second, kind="logged")
    assert report_exception(ExceptionGroup("both", [first, second]), kind="unhandled") is None


def test_an_error_met_by_two_threads_at_once_is_recorded(records: Records) -> None:
    error = raised()
    threads = [
        threading.Thread(target=report_exception, args=(error,), kwargs={"kind": "logged"}) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert records.failures


def test_alike_errors_have_one_fingerprint_and_others_have_others(records: Records) -> None:
    for error in (
        raised("application 1"),
        raised("application 22"),
        raised("vacancy 1"),
        KeyError("application 1"),
    ):
        report_exception(error, kind="unhandled")
    first, second, third, fourth = (failure.fingerprint for failure in records.failures)
    assert first == second
    assert len({first, third, fourth}) == 3


def test_how_many_members_a_group_had_makes_no_other_failure(records: Records) -> None:
    for count in (2, 3):
        report_exception(ExceptionGroup("several", [raised() for _ in range(count)]), kind="unhandled")
    first, second = records.failures
    assert first.fingerprint == second.fingerprint


def test_the_host_chooses_the_group_of_a_failure(records: Records) -> None:
    error = raised("one")
    error.qaprod_fingerprint = "billing"  # type: ignore[attr-defined]
    report(error)
    report(raised("two"), fingerprint="billing")

    class BillingError(Exception):
        qaprod_fingerprint = "billing"

    report(BillingError())
    report(raised("three"))
    assert [failure.fingerprint == records.failures[0].fingerprint for failure in records.failures] == [
        True,
        True,
        True,
        False,
    ]


def test_report_is_for_errors_that_the_host_handled(records: Records, served: Context) -> None:
    assert report(raised(), name="nightly import", severity="warning")
    (failure,) = records.failures
    assert (failure.kind, failure.name, failure.severity) == ("logged", "nightly import", "warning")


def test_nothing_is_recorded_in_a_test_run_that_does_not_ask() -> None:
    error = raised()
    assert report(error) is None
    assert error.__dict__ == {}


@pytest.mark.parametrize(
    ("critical", "served", "severity"), [(True, False, "critical"), (True, True, "error")]
)
def test_what_a_critical_view_could_not_serve_is_critical(
    records: Records, critical: bool, served: bool, severity: str
) -> None:
    current = serving()
    current.critical = critical
    with during(current):
        report_exception(raised(), kind="unhandled", served=served)
    (failure,) = records.failures
    assert failure.severity == severity
    assert failure.critical


class LeakingError(Exception):
    def __str__(self) -> str:
        return f"password={CANARY}"


@pytest.mark.django_db
def test_no_secret_is_in_a_record(records: Records) -> None:
    def leak() -> None:
        secret_token = CANARY  # noqa: F841
        try:
            raise KeyError(f"token={CANARY}")
        except KeyError as error:
            failure = LeakingError()
            failure.add_note(f"Authorization: Bearer {CANARY}")
            raise ExceptionGroup(f"api_key: {CANARY}", [failure, ValueError({"password": CANARY})]) from error

    path = f"/reset/MQ/{CANARY}/"
    current = serving(
        path, "reset/<uid>/<token>/", cookie=f"sessionid={CANARY}", authorization=f"Bearer {CANARY}"
    )
    current.request.GET = {"q": CANARY}  # type: ignore[union-attr,assignment]
    with during(current):
        logging.getLogger("jobs").warning("GET %s?code=%s", path, CANARY)
        logging.getLogger("jobs").warning("login with %s", {"password": CANARY})
        logging.getLogger("django.db.backends").error("SELECT %s", CANARY)
        try:
            leak()
        except ExceptionGroup as error:
            report_exception(
                error, kind="unhandled", extra={"form": {"password": CANARY}, "path": f"?a={CANARY}"}
            )
        logging.getLogger("django.request").error("Service Unavailable: %s", path)
    assert len(records.failures) == 2
    for failure in records.failures:
        text = encode(failure).decode()
        assert CANARY not in text, text[max(text.index(CANARY) - 300, 0) : text.index(CANARY) + 100]
    assert records.failures[1].message == "Service Unavailable: reset/<uid>/<token>/"


def test_hostile_errors_are_recorded_all_the_same(records: Records) -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            return "a\x00b \ud800 " + "x" * 1_000_000

        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise RuntimeError

    report_exception(ValueError("a\x00b \ud800"), kind="unhandled")
    (failure,) = records.failures
    encode(failure).decode("ascii")
    assert report_exception(HostileError(), kind="unhandled") is None
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"failures": 1}


def test_the_longest_record_fits_into_the_spool(records: Records, settings: Settings) -> None:
    settings.QAPROD = {"LINES_PER_REQUEST": 1000}
    space: dict[str, Any] = {"__name__": "日" * 200}
    source = "".join(f"def f{n}():\n    f{n + 1}()  # {'日' * 200}\n" for n in range(200))
    exec(compile(source + "def f200(): raise ValueError", "/" + "日" * 300, "exec"), space)
    linecache.cache["/" + "日" * 300] = (len(source), None, source.splitlines(True), "/" + "日" * 300)

    def deep(left: int) -> BaseException:
        error = ValueError("日" * 10_000)
        for _ in range(20):
            error.add_note("日" * 10_000)
        try:
            if left:
                error.__cause__ = deep(left - 1)
            space["f0"]()
        except ValueError as raised:
            error.__traceback__ = raised.__traceback__
        return error

    with during(serving()):
        for _ in range(1000):
            logging.getLogger("日" * 200).warning("日" * 1000)
        report_exception(deep(20), kind="unhandled", extra={"long": ["日" * 1000] * 1000})
    (failure,) = records.failures
    assert 100_000 < len(encode(failure)) <= spool.MAX_RECORD
    assert decode(encode(failure)) == failure
    assert len(failure.chain) == len(json.loads(failure.frames))


@pytest.mark.django_db
def test_values_in_an_error_of_the_database_are_not_recorded(records: Records) -> None:
    User.objects.create(username=CANARY)
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        User.objects.create(username=CANARY)
    report(caught.value)
    (failure,) = records.failures
    assert len(failure.chain) == 2
    assert CANARY not in encode(failure).decode()


def test_a_lazy_user_is_not_resolved_for_a_failure(records: Records) -> None:
    asked: list[int] = []
    current = serving()
    current.request.user = SimpleLazyObject(lambda: asked.append(1))  # type: ignore[union-attr,assignment]
    with during(current):
        report_exception(ValueError(current.request.user), kind="unhandled")  # type: ignore[union-attr]
    assert records.failures[0].message == "<SimpleLazyObject>"
    assert not asked


def test_the_lines_around_are_those_of_the_request(records: Records, settings: Settings) -> None:
    settings.QAPROD = {"LINES_PER_REQUEST": 3}
    for name in ("one", "two"):
        with during(serving()):
            for number in range(5):
                logging.getLogger("jobs").warning("%s %d", name, number)
            report_exception(raised(), kind="unhandled")
    lines: list[tuple[LogLine, ...]] = [failure.lines for failure in records.failures]
    assert [[line.message for line in some] for some in lines] == [
        ["one 2", "one 3", "one 4"],
        ["two 2", "two 3", "two 4"],
    ]


def test_an_error_of_which_only_words_are_left(records: Records) -> None:
    failures.report_words(
        kind="task",
        error_type="jobs.ImportFailed",
        message=f"password={CANARY}",
        traceback='Traceback:\n  File "/srv/jobs/tasks.py", line 3, in run\n    go()\n',
        name="jobs.tasks.run",
    )
    (failure,) = records.failures
    assert (failure.error_type, failure.name) == ("jobs.ImportFailed", "jobs.tasks.run")
    assert failure.message == "password=[scrubbed]"
    assert json.loads(failure.frames)[0][0]["function"] == "run"


def test_groups_within_groups_without_end_are_recorded(records: Records) -> None:
    error: Exception = ValueError("the innermost")
    for _ in range(2_000):
        error = ExceptionGroup("several", [error])
    failures.report_exception(error, kind="logged")
    assert len(records.failures) == 1


def test_what_is_no_exception_is_refused_clearly_and_in_production_counted(settings: Settings) -> None:
    with pytest.raises(TypeError, match=r"report\(\) takes an exception, not str"):
        report("it broke")  # type: ignore[arg-type]
    settings.QAPROD = {"RERAISE": False}
    guard.take()
    assert report("it broke") is None  # type: ignore[arg-type]
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"report": 1}
