"""Nothing of ours reaches the host as an exception, and nothing of it is swept under the carpet."""

from __future__ import annotations

import logging
import threading

import pytest

from django_qaprod.pipeline import guard


@pytest.fixture(autouse=True)
def fresh() -> None:
    guard.reset_after_fork()


def test_an_error_is_counted_by_its_part_and_goes_no_further() -> None:
    with guard.guard("spool"):
        raise ValueError("disk on fire")
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"spool": 1}
    assert tally.last_error == "spool: ValueError: disk on fire"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_process_passes(error: type[BaseException]) -> None:
    with pytest.raises(error), guard.guard("spool"):
        raise error
    assert not guard.inside()


def test_a_part_logs_once_a_minute_however_often_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        with guard.guard("spool"):
            raise ValueError
    assert len(caplog.records) == 1
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"spool": 50}


def test_a_log_handler_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the handler is broken, too")

    monkeypatch.setattr(logging.Logger, "warning", explode)
    with guard.guard("spool"):
        raise ValueError
    assert not guard.inside()


def test_what_is_the_host_s_is_not_ours_within_a_guard_either() -> None:
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((guard.inside(), guard.inside_ours()))

    # Nothing is asserted in there, where it would be caught.
    with guard.guard("worker"), guard.ours():
        with guard.theirs():
            look()
            with guard.guard("journeys"):
                look()
            look()
        look()
    look()
    assert seen == [(False, False), (True, False), (False, False), (True, True), (False, False)]


def test_what_is_the_host_s_ends_with_an_error_too() -> None:
    with guard.ours():
        with pytest.raises(LookupError), guard.theirs():
            raise LookupError
        assert guard.inside_ours()


def test_an_error_whose_message_cannot_be_shown_is_counted() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with guard.guard("spool"):
        raise HostileError
    tally = guard.take()
    assert tally is not None
    assert "cannot be shown" in tally.last_error


def test_a_guarded_function_answers_none_where_it_would_raise() -> None:
    @guard.guarded("sum")
    def divide(a: int, b: int) -> float:
        return a / b

    assert divide(4, 2) == 2
    assert divide(1, 0) is None


def test_a_tally_is_taken_once() -> None:
    guard.dropped("spool.full", 3)
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"spool.full": 3}
    assert guard.take() is None


def test_inside_is_known_at_every_depth() -> None:
    assert not guard.inside()
    with guard.guard("outer"):
        with guard.guard("inner"):
            assert guard.inside()
        assert guard.inside()
    assert not guard.inside()


def test_an_error_whose_message_counts_something_itself_does_not_hang() -> None:
    class CountingError(Exception):
        def __str__(self) -> str:
            guard.dropped("spool")
            return "counted"

    def fail() -> None:
        with guard.guard("spool"):
            raise CountingError

    thread = threading.Thread(target=fail, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    tally = guard.take()
    assert tally is not None
    assert (tally.errors, tally.dropped) == ({"spool": 1}, {"spool": 1})


def test_a_destructor_that_counts_may_come_in_between() -> None:
    lock = guard._counts.lock
    with lock:
        assert lock.acquire(blocking=False)
        # Else this thread has it for good, and the next one that counts waits for ever.
        lock.release()


def test_no_secret_of_an_error_is_counted_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    with guard.guard("spool"):
        try:
            raise KeyError("password=hunter2")
        except KeyError as cause:
            raise ValueError("password=hunter2") from cause
    tally = guard.take()
    assert tally is not None
    assert tally.last_error == "spool: ValueError: password=[scrubbed]"
    assert "hunter2" not in caplog.text.replace('Error("password=hunter2")', "")
    assert "test_guard.py" in caplog.text, "the log says where"
