"""How a failure is told."""

from __future__ import annotations

import pytest

from django_qaprod.dashboard import failure, priority
from django_qaprod.models import Failure
from django_qaprod.queries.failures import Frame, Impact


@pytest.mark.parametrize(
    ("met", "started", "served", "words"),
    [
        (12, 40, 9, "Form: 12 of 40 that were started met it; 9 of them were served anyway."),
        (12, 40, 1, "Form: 12 of 40 that were started met it; 1 of them was served anyway."),
        (12, 40, 0, "Form: 12 of 40 that were started met it; none of them was served."),
        (12, 40, 12, "Form: 12 of 40 that were started met it; every one of them was served anyway."),
        (1, 1, 0, "Form: 1 of 1 that was started met it; none of them was served."),
        (3, None, 2, "Form: 3 met it; 2 of them were served anyway."),
    ],
)
def test_the_impact_in_words(met: int, started: int | None, served: int, words: str) -> None:
    impact = Impact(journey="form", title="Form", met=met, started=started, served=served)
    assert failure.in_words(impact) == words


@pytest.mark.parametrize(
    ("served", "went_on", "words"),
    [
        (9, 7, "9 of them were served anyway. 7 of those have taken a later step since."),
        (9, 1, "9 of them were served anyway. 1 of those has taken a later step since."),
        (9, 0, "9 of them were served anyway. None of those has taken a later step since."),
        (1, 1, "1 of them was served anyway. It has taken a later step since."),
        (1, 0, "1 of them was served anyway. It has taken no later step since."),
        (0, 0, "none of them was served."),
    ],
)
def test_what_became_of_those_who_were_served(served: int, went_on: int, words: str) -> None:
    """Whether it was good enough that they were."""
    impact = Impact(journey="form", title="Form", met=12, started=40, served=served, went_on=went_on)
    assert failure.in_words(impact) == f"Form: 12 of 40 that were started met it; {words}"


def frames(*in_app: bool) -> list[Frame]:
    return [Frame(file=f"{number}.py", in_app=known) for number, known in enumerate(in_app)]


def test_runs_of_library_frames_are_folded() -> None:
    stretches = failure.folded(frames(False, False, True, False, True))
    assert [(stretch.in_app, len(stretch.frames)) for stretch in stretches] == [
        (False, 2), (True, 1), (False, 1), (True, 1),
    ]  # fmt: skip


def test_where_all_frames_are_library_frames_none_is_folded() -> None:
    assert [stretch.in_app for stretch in failure.folded(frames(False, False))] == [True]
    assert failure.folded([]) == []


@pytest.mark.parametrize("stored", [None, [], "x", {"kind": "many"}, {"kind": None}, {"kind": 0}])
def test_a_priority_without_readable_parts(stored: object) -> None:
    assert priority.parts(Failure(kind="unhandled", priority_parts=stored)) == []


def test_a_part_that_takes_away() -> None:
    (part,) = priority.parts(Failure(kind="unhandled", priority_parts={"severity": -20.5}))
    assert part.signed == "\N{MINUS SIGN}20.5"
