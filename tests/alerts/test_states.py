"""An alert is pending, fires, is kept firing and is over, as Prometheus has it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.alerts.states import GAP, NONE, Standing, step


def follow(*looks: tuple[float, bool], for_: float = 0, keep: float = 0) -> list[str]:
    """Return the states that these looks lead to, each a time and whether it was wrong."""
    standing, found = NONE, []
    for now, wrong in looks:
        if standing.state == "resolved":
            standing = NONE
        standing = step(standing, wrong, now, for_=for_, keep=keep)
        found.append(standing.state)
    return found


def test_without_a_wait_it_fires_at_once_and_is_over_at_once() -> None:
    """A threshold of one is told at the first look."""
    assert follow((0, False), (30, True), (60, False)) == ["", "firing", "resolved"]


def test_it_is_pending_until_it_was_wrong_for_long_enough() -> None:
    """What heals within that time is never told."""
    assert follow((0, True), (30, True), (60, True), for_=60) == ["pending", "pending", "firing"]
    assert follow((0, True), (30, False), (60, True), for_=60) == ["pending", "", "pending"]


def test_it_is_kept_firing_until_it_was_right_for_long_enough() -> None:
    """One that comes and goes is one alert."""
    looks = ((0, True), (30, False), (60, True), (90, False), (119, False), (120, False))
    assert follow(*looks, keep=60)[-3:] == ["firing", "firing", "resolved"]


def test_a_pending_one_begins_anew_after_nobody_looked() -> None:
    """Nobody knows whether it was wrong in between."""
    assert follow((0, True), (GAP + 60, True), for_=60) == ["pending", "pending"]


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 300), st.integers(0, 300))
def test_it_never_fires_before_it_was_wrong_for_long_enough(looks: list[bool], for_: int, keep: int) -> None:
    """Whatever comes: it fires after a row of wrong looks as long, and ends after as many right ones."""
    standing, wrong_since, wrong_last = NONE, None, 0.0
    for turn, wrong in enumerate(looks):
        now = turn * 30.0
        wrong_since = (now if wrong_since is None else wrong_since) if wrong else None
        wrong_last = now if wrong else wrong_last
        before = standing if standing.state != "resolved" else NONE
        standing = step(before, wrong, now, for_=for_, keep=keep)
        if standing.state == "firing" and before.state != "firing":
            assert wrong_since is not None
            assert now - wrong_since >= for_
        if standing.state == "resolved":
            assert now - wrong_last >= keep
        assert standing.state in {"", "pending", "firing", "resolved"}
    assert isinstance(standing, Standing)
