"""What a rule is judged by, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ...specs import Measure, RuleSpec

#: The key of what is not told apart.
ALL = ""


class Sight(Protocol):
    """What can be seen of the numbers. The worker's is of the present, a back-test's of any moment.

    Times are seconds since the epoch. Without ``by`` there is one key, ``ALL``, always; with it those that
    occur in the stretch. Steps begin at ``start``, which need not be round; the last may be shorter.
    """

    #: The end of what may be judged: the present, less what is still on its way.
    now: float
    #: Where the last look ended, if it ended well.
    previous: float | None

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        """Return how often it happened in each step; in the whole stretch (one step) if ``step`` is 0."""

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        """Return how often it happened in whole hours that have passed; those that are missing are zero.

        Cheap however many there were, as long as ``by`` is nothing, ``variant`` or ``browser``.
        """

    def readings(
        self, measure: Measure, start: float, end: float, *, step: float, by: str = ""
    ) -> dict[str, list[float | None]]:
        """Return the mean reading of a gauge in each step, ``None`` where there is none."""

    def last(self, measure: Measure, since: float) -> float | None:
        """Return when it happened last, ``None`` when it has not since then."""

    def first(self, measure: Measure) -> float | None:
        """Return when it was counted for the first time, ``None`` when it never was."""

    def deploys(self, start: float, end: float) -> list[float]:
        """Return when releases went live; not when flags were changed."""

    def incidents(self, rule: str, start: float, end: float) -> list[tuple[float, float]]:
        """Return the stretches in which the rule fired, as people did not say that it was wrong to."""


class Verdict(NamedTuple):
    """Whether what has this key is wrong now.

    ``words`` say what happened (“0 in the last 3 hours”), ``usual`` compared with what (“usually 8–14 by
    now; this happens by chance once in 3 years”), both in the language that is active, as they are kept.
    ``since`` is when it began, if that is known.
    """

    key: str
    wrong: bool
    value: float | None
    words: str
    limit: float | None = None
    usual: str = ""
    since: float | None = None


class Judgement(NamedTuple):
    """The verdicts of a rule. ``silent`` says why nothing can be said: then nothing changes.

    Unless there were too ``few``: what fires, and has nothing to be judged by for long, is over.
    """

    verdicts: tuple[Verdict, ...] = ()
    silent: str = ""
    few: bool = False


class Judge(Protocol):
    """Judges rules of a kind: the module ``judging.<kind>`` has it as ``judge``.

    It is pure: all that it knows comes from the rule and the sight. It raises what it cannot do.
    """

    def __call__(self, rule: RuleSpec, sight: Sight, /) -> Judgement: ...
