"""A step that nobody declared: an error while developing, a refusal in production.

A typo in a step's name is an error to type checkers. Where one gets into production all the same, the
request that meets it goes on, and the refusal is counted and logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import conf
from ..exceptions import UnknownStepError
from ..pipeline import guard
from ..registry import JourneySpec


class UnknownStep:
    """Stands in, where it is recorded, for a step that is not there. Any other use is an error everywhere."""

    def __init__(self, error: UnknownStepError) -> None:
        self._error = error

    @property
    def refusal(self) -> UnknownStepError:
        """What was named, and which steps there are: for whoever cannot go on without."""
        return self._error

    def record(self, *args: object, **kwargs: object) -> None:
        """Count and log the refusal."""
        guard.caught("journeys", self._error)

    async def arecord(self, *args: object, **kwargs: object) -> None:
        """Count and log the refusal."""
        guard.caught("journeys", self._error)

    def __getattr__(self, name: str) -> Any:
        raise self._error


class JourneyType(type):
    """The class of journeys: it answers for the steps that they do not have."""

    # Hidden from type checkers, to whom an unknown step shall be what it is.
    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> UnknownStep:
            spec: JourneySpec | None = None if name == "spec" else getattr(cls, "spec", None)
            if spec is None or name.startswith("_"):
                raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
            known = tuple(step.name for step in spec.steps)
            error = UnknownStepError(
                f"{cls.__name__} has no step named {name!r}. It has: {', '.join(known)}.", known=known
            )
            if conf.reraising():
                raise error
            return UnknownStep(error)
