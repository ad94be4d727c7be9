from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import IntegrityError, connection, connections, transaction
from django.http import Http404
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from django_qaprod import CircuitBreaker, context, degrade
from django_qaprod.context import Context
from django_qaprod.exceptions import DeclarationError, UnknownStepError
from django_qaprod.journeys import Journey, Step
from django_qaprod.pipeline import guard
from django_qaprod.registry import isolated
from django_qaprod.testing import Records
from tests.project.shop.models import Order

pytestmark = pytest.mark.usefixtures("in_production")


@pytest.fixture
def in_production(settings: Settings) -> None:
    """Swallow, as in production: a test run raises again by default."""
    settings.QAPROD = {"RERAISE": False}


class ProfileError(Exception):
    pass


def broken(*args: Any) -> str:
    raise ProfileError("the profile service is away")


async def abroken(*args: Any) -> str:
    await asyncio.sleep(0)
    return broken()


# Decorated functions


def test_the_visitor_is_served_the_fallback(records: Records, served: Context) -> None:
    assert degrade(fallback=dict)(broken)() == {}
    (failure,) = records.failures
    assert (failure.kind, failure.severity, failure.served) == ("degraded", "error", True)
    assert failure.name == f"{__name__}.broken"
    assert failure.error_type == f"{__name__}.ProfileError"
    assert failure.culprit == f"{__name__}.broken"
    assert served.degraded == 1


def test_what_the_fallback_logs_is_the_host_s(records: Records, served: Context) -> None:
    def ask_the_copy(error: Exception) -> str:
        logging.getLogger("jobs").error("the copy is old")
        return "yesterday's"

    assert degrade(fallback=ask_the_copy)(broken)() == "yesterday's"
    assert [failure.kind for failure in records.failures] == ["logged", "degraded"]


async def test_the_visitor_is_served_the_fallback_async(records: Records, served: Context) -> None:
    assert await degrade(fallback=dict)(abroken)() == {}
    (failure,) = records.failures
    assert (failure.kind, failure.served, failure.name) == ("degraded", True, f"{__name__}.abroken")
    assert served.degraded == 1


def test_nothing_happens_when_nothing_fails(records: Records, served: Context) -> None:
    assert degrade(fallback="none")(lambda number: number + 1)(2) == 3
    assert not records.failures
    assert served.degraded == 0


async def test_nothing_happens_when_nothing_fails_async(records: Records, served: Context) -> None:
    @degrade(fallback="none")
    async def work(number: int) -> int:
        return number + 1

    assert await work(2) == 3
    assert not records.failures


@pytest.mark.parametrize(
    ("fallback", "value"),
    [
        (None, None),
        ("text", "text"),
        ((), ()),
        (dict, {}),
        (list, []),
        (lambda: "nothing", "nothing"),
        (lambda error: str(error), "the profile service is away"),
        (lambda error=None: type(error).__name__, "ProfileError"),
    ],
)
def test_a_fallback_is_a_value_or_is_called(fallback: Any, value: Any, records: Records) -> None:
    assert degrade(fallback=fallback)(broken)() == value


def test_a_fresh_fallback_is_made_each_time() -> None:
    work = degrade(fallback=list)(broken)
    assert work() is not work()


async def test_a_fallback_may_be_async_where_the_function_is() -> None:
    async def fallback(error: Exception) -> str:
        await asyncio.sleep(0)
        return f"instead of: {error}"

    assert await degrade(fallback=fallback)(abroken)() == "instead of: the profile service is away"
    with pytest.raises(DeclarationError, match="not async"):
        degrade(fallback=fallback)(broken)  # type: ignore[type-var,unused-ignore]


def test_methods_degrade_too(records: Records) -> None:
    class Teacher:
        name = "Jan"

        @degrade(fallback="unknown")
        def profile(self, key: str) -> str:
            return broken(self.name, key)

        @staticmethod
        @degrade(fallback="unknown")
        def lookup(key: str) -> str:
            return broken(key)

        @classmethod
        @degrade(fallback="unknown")
        def find(cls, key: str) -> str:
            return broken(key)

    assert Teacher().profile("a") == Teacher.lookup("a") == Teacher.find("a") == "unknown"
    assert records.failures[0].name.endswith("Teacher.profile")


def test_the_signature_and_name_stay() -> None:
    def prefill(teacher: str, *, strict: bool = False) -> dict[str, str]:
        """Look the teacher up."""
        return {}

    decorated = degrade()(prefill)
    assert decorated.__name__ == "prefill"
    assert decorated.__doc__ == "Look the teacher up."
    assert decorated.__wrapped__ is prefill  # type: ignore[attr-defined]


def test_options_name_and_rank_the_failure(records: Records) -> None:
    with isolated():

        class JobApplication(Journey):
            started = Step()

        degrade("profile service", severity="info", journey=JobApplication)(broken)()
        degrade(journey="another")(broken)()
    first, second = records.failures
    assert (first.name, first.severity, first.journey) == ("profile service", "info", "job_application")
    assert second.journey == "another"


# What is swallowed


@pytest.mark.parametrize("error", [Http404(), PermissionDenied(), SuspiciousOperation(), BadRequest()])
def test_what_tells_django_what_to_answer_passes(records: Records, error: Exception) -> None:
    @degrade()
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        work()
    assert not records.failures


def test_what_only_names_is_swallowed_and_the_rest_is_not(records: Records) -> None:
    @degrade(only=(ProfileError, Http404), fallback="served")
    def work(error: Exception) -> str:
        raise error

    assert work(ProfileError()) == work(Http404()) == "served"
    with pytest.raises(KeyError):
        work(KeyError())
    assert len(records.failures) == 2


def test_what_excluding_names_passes(records: Records) -> None:
    @degrade(excluding=KeyError, fallback="served")
    def work(error: Exception) -> str:
        raise error

    assert work(ValueError()) == "served"
    with pytest.raises(KeyError):
        work(KeyError())
    with pytest.raises(Http404):
        work(Http404())


@pytest.mark.parametrize(
    "error", [SystemExit(), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
)
def test_what_ends_things_is_never_swallowed(records: Records, error: BaseException) -> None:
    @degrade()
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        work()
    with pytest.raises(type(error)), degrade("a block"):
        raise error
    assert not records.failures


async def test_a_cancelled_visitor_is_never_served_a_fallback(records: Records) -> None:
    @degrade(fallback="served")
    async def work() -> str:
        await asyncio.sleep(10)
        return "late"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not records.failures


# Development and tests


@pytest.mark.parametrize("given", [{"RERAISE": True}, {}])
def test_developers_and_their_tests_see_the_error(
    records: Records, settings: Settings, given: dict[str, Any]
) -> None:
    settings.QAPROD = given
    with pytest.raises(ProfileError) as caught:
        degrade(fallback=dict)(broken)()
    assert caught.value.__notes__ == [
        f"In production degrade swallows this error ({__name__}.broken). See QAPROD['RERAISE']."
    ]
    assert not records.failures


async def test_developers_and_their_tests_see_the_error_async(settings: Settings) -> None:
    settings.QAPROD = {}
    with pytest.raises(ProfileError, match="away"):
        await degrade(fallback=dict)(abroken)()
    with pytest.raises(ProfileError, match="away"):
        async with degrade("a block"):
            await abroken()


def test_one_place_may_differ_from_the_setting(records: Records, settings: Settings) -> None:
    settings.QAPROD = {}
    assert degrade(reraise=False, fallback=1)(broken)() == 1
    settings.QAPROD = {"RERAISE": False}
    with pytest.raises(ProfileError):
        degrade(reraise=True)(broken)()


def test_an_error_that_takes_no_note_is_raised_as_it_is(settings: Settings) -> None:
    class StubbornError(Exception):
        def add_note(self, note: str, /) -> None:
            raise RuntimeError

    settings.QAPROD = {}
    with pytest.raises(StubbornError), degrade("a block"):
        raise StubbornError
    guard.take()


# The log


def test_the_log_of_the_host_has_it_once(
    records: Records, served: Context, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        degrade(fallback=dict)(broken)()
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("qaprod.degrade", "ERROR")
    assert line.exc_info is not None
    assert isinstance(line.exc_info[1], ProfileError)
    assert len(records.failures) == 1


def test_a_handler_that_raises_does_not_reach_the_visitor(records: Records) -> None:
    class Bad(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("a full disk")

    log = logging.getLogger("qaprod.degrade")
    handler = Bad()
    log.addHandler(handler)
    try:
        assert degrade(fallback=dict)(broken)() == {}
    finally:
        log.removeHandler(handler)
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"degrade": 1}


# A fallback that fails


def test_a_fallback_that_fails_is_raised_with_the_first_error_behind_it(
    records: Records, served: Context
) -> None:
    def fallback() -> str:
        raise KeyError("no cache either")

    with pytest.raises(KeyError) as caught:
        degrade(fallback=fallback)(broken)()
    assert isinstance(caught.value.__context__, ProfileError)
    (failure,) = records.failures
    assert (failure.error_type, failure.served) == (f"{__name__}.ProfileError", False)
    assert served.degraded == 0


async def test_a_fallback_that_fails_is_raised_with_the_first_error_behind_it_async(
    records: Records, served: Context
) -> None:
    async def fallback(error: Exception) -> str:
        raise KeyError("no cache either")

    with pytest.raises(KeyError) as caught:
        await degrade(fallback=fallback)(abroken)()
    assert isinstance(caught.value.__context__, ProfileError)
    assert [failure.served for failure in records.failures] == [False]


# Blocks


def test_a_block_is_broken_off_and_says_so(records: Records, served: Context) -> None:
    with degrade("school search") as section:
        broken()
    assert section.failed
    assert isinstance(section.error, ProfileError)
    assert records.failures[0].name == "school search"
    assert served.degraded == 1
    with degrade("school search") as section:
        pass
    assert not section.failed


async def test_a_block_is_broken_off_and_says_so_async(records: Records, served: Context) -> None:
    async with degrade("school search") as section:
        await abroken()
    assert section.failed
    assert records.failures[0].name == "school search"
    async with degrade("school search") as section:
        await asyncio.sleep(0)
    assert not section.failed


def test_blocks_may_be_nested() -> None:
    one = degrade("one")
    with one as outer:
        with one as inner:
            broken()
        assert inner.failed
    assert not outer.failed


# Transactions


@pytest.mark.django_db
def test_no_query_is_made_outside_of_a_transaction_nor_when_errors_are_raised(settings: Settings) -> None:
    settings.QAPROD = {}
    with CaptureQueriesContext(connection) as queries:
        degrade()(lambda: 1)()
        with degrade("a block"):
            pass
    assert not queries.captured_queries


@pytest.mark.django_db(transaction=True)
def test_no_query_is_made_without_a_transaction() -> None:
    with CaptureQueriesContext(connection) as queries:
        degrade()(lambda: 1)()
        degrade()(broken)()
    assert not queries.captured_queries


@pytest.mark.django_db(transaction=True)
def test_in_a_transaction_the_work_of_what_failed_is_taken_back_and_the_rest_stays(records: Records) -> None:
    @degrade()
    def work() -> None:
        Order.objects.create(number="half done")
        broken()

    with transaction.atomic():
        Order.objects.create(number="before")
        work()
        with degrade("a block"):
            Order.objects.create(number="half done")
            broken()
        Order.objects.create(number="after")
    assert sorted(Order.objects.values_list("number", flat=True)) == ["after", "before"]


def numbers_kept_in_a_thread_of_its_own() -> list[str]:
    """Degrade before the thread has a connection, then do half of some work in a transaction."""
    try:
        degrade()(broken)()
        with transaction.atomic():
            with degrade("a block"):
                Order.objects.create(number="half done")
                broken()
            Order.objects.create(number="after")
        return list(Order.objects.values_list("number", flat=True))
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_connections_made_after_the_first_call_are_seen(records: Records) -> None:
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(numbers_kept_in_a_thread_of_its_own).result() == ["after"]


@pytest.mark.django_db(transaction=True)
def test_where_autocommit_is_off_the_function_may_commit_for_itself() -> None:
    @degrade()
    def work() -> None:
        Order.objects.create(number="kept")
        transaction.commit()
        Order.objects.create(number="taken back")

    transaction.set_autocommit(False)
    try:
        work()
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert list(Order.objects.values_list("number", flat=True)) == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_database_leaves_the_transaction_usable(records: Records) -> None:
    order = Order.objects.create(number="first")

    @degrade(fallback="served")
    def work() -> str:
        Order.objects.create(pk=order.pk, number="again")
        return "done"

    with transaction.atomic():
        assert work() == "served"
        assert Order.objects.count() == 1
        with degrade("a block") as section:
            Order.objects.create(pk=order.pk, number="again")
        assert isinstance(section.error, IntegrityError)
        Order.objects.create(number="after")
    assert Order.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_work_that_succeeds_in_a_transaction_stays() -> None:
    with transaction.atomic():
        degrade()(Order.objects.create)(number="kept")
    assert Order.objects.get().number == "kept"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [Http404, KeyboardInterrupt])
def test_what_passes_takes_no_work_of_the_host_with_it(error: type[BaseException]) -> None:
    @degrade()
    def work() -> None:
        Order.objects.create(number="kept")
        raise error

    with transaction.atomic():
        with pytest.raises(error):
            work()
        with pytest.raises(error), degrade("a block"):
            work()
    assert Order.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_database_error_that_passes_leaves_the_transaction_usable() -> None:
    order = Order.objects.create(number="first")
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            degrade(excluding=IntegrityError)(Order.objects.create)(pk=order.pk)
        assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_the_function_itself_broke_is_a_degradation(records: Records) -> None:
    order = Order.objects.create(number="first")

    @degrade(fallback="served")
    def work() -> str:
        try:
            Order.objects.create(pk=order.pk)
        except IntegrityError:
            transaction.set_rollback(True)
        return "done"

    with transaction.atomic():
        assert work() in {"served", "done"}
        assert Order.objects.count() == 1


# Wrong use


def a_generator() -> Iterator[int]:
    yield 1


async def an_async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("decorate", "what_to_do"),
    [
        (lambda: degrade(broken), "write @degrade()"),  # type: ignore[arg-type]
        (lambda: degrade()(a_generator), "inside it"),
        (lambda: degrade()(an_async_generator), "inside it"),
        (lambda: degrade()(Order), "decorate the methods"),
        (lambda: degrade()(staticmethod(broken)), "swap the two lines"),
        (lambda: degrade()(classmethod(broken)), "swap the two lines"),  # type: ignore[call-overload]
        (lambda: degrade()(3), "wraps a function"),  # type: ignore[call-overload]
        (lambda: degrade(fallback={}), "fallback=dict"),
        (lambda: degrade(fallback=[1]), "fallback=lambda"),
        (lambda: degrade(fallback=lambda one, two: 1), "takes neither"),
        (lambda: degrade(only="ValueError"), "exception classes"),  # type: ignore[call-overload]
        (lambda: degrade(only=KeyboardInterrupt), "never swallowed"),  # type: ignore[arg-type]
        (lambda: degrade(excluding=[ValueError, 3]), "exception classes"),  # type: ignore[call-overload]
        (lambda: degrade(severity="bad"), "severity is one of"),  # type: ignore[call-overload]
        (lambda: degrade(journey=3), "a Journey or its name"),
        (lambda: degrade(breaker=3), "a CircuitBreaker"),  # type: ignore[call-overload]
    ],
)
def test_a_use_that_cannot_work_says_what_to_do(decorate: Any, what_to_do: str) -> None:
    with pytest.raises(DeclarationError, match=what_to_do) as caught:
        decorate()
    assert isinstance(caught.value, TypeError)


def test_options_for_functions_are_refused_in_a_block_where_somebody_can_see_it(
    records: Records, settings: Settings
) -> None:
    with degrade("a block", fallback=1) as section:
        broken()
    assert section.failed
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"degrade": 1}
    settings.QAPROD = {}
    breaker = CircuitBreaker(trip_after=1, retry_after=1)
    with pytest.raises(DeclarationError, match="for the decorator"), degrade("a block", breaker=breaker):
        pass


def test_a_block_of_a_journey_that_nobody_declared_is_an_error_where_somebody_can_see_it(
    settings: Settings,
) -> None:
    guard.take()
    with degrade("a block", journey="typo") as section:
        pass
    assert not section.failed
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"degrade": 1}
    settings.QAPROD = {}
    with pytest.raises(UnknownStepError, match="No journey is named 'typo'"), degrade(journey="typo"):
        pass


def test_a_visitor_is_served_when_recording_fails(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    from django_qaprod.pipeline import failures

    monkeypatch.setattr(failures.frames, "stack", lambda links: 1 / 0)
    assert degrade(fallback=dict)(broken)() == {}
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"failures": 1}


def test_the_decorator_is_not_hidden_by_the_package_it_comes_from() -> None:
    """``import package.sub`` sets an attribute of the package: were it named ``degrade``, it would win."""
    import django_qaprod.degradation.degrading

    assert isinstance(django_qaprod.degrade, type)
    assert not hasattr(django_qaprod.critical, "__path__")


def test_a_degradation_outside_of_anything_is_recorded(records: Records) -> None:
    assert context.current() is None
    degrade()(broken)()
    assert records.failures[0].served
