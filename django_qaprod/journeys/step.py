"""A step of a journey: one object to record, to track and to watch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from asgiref.sync import sync_to_async
from django.db.models import Model

from ..exceptions import DeclarationError
from ..registry import JourneySpec, StepSpec
from . import recording

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from .journey import Journey

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Model)


class Step:
    """A stage of a journey, declared in the body of a ``Journey``.

    ``once`` counts a subject once: the first event stays, later ones are not recorded. Recording such a
    step may wait for another transaction that is recording the same step of the same subject. ``title`` is
    for people, the step's name in words if it is left out.
    """

    def __init__(self, *, once: bool = False, title: str | _StrPromise = "") -> None:
        if not isinstance(once, bool):
            raise DeclarationError(f"Step(once=…) is True or False, not {once!r}.")
        self.once = once
        self._title = title
        self._owner: type[Journey] | None = None
        self._name = ""

    def __set_name__(self, owner: type[Journey], name: str) -> None:
        self._owner, self._name = owner, name

    def __repr__(self) -> str:
        return f"<Step {self._owner.__name__ if self._owner else '(not bound)'}.{self._name}>"

    def inherited_by(self, owner: type[Journey], name: str) -> Step:
        """Return a step like this one that belongs to a subclass of its journey."""
        step = Step(once=self.once, title=self._title)
        step.__set_name__(owner, name)
        return step

    @property
    def journey(self) -> JourneySpec:
        """The journey that it belongs to."""
        spec = getattr(self._owner, "spec", None)
        if spec is None:
            raise DeclarationError("A Step belongs into the body of a Journey: `submitted = Step()`.")
        return spec  # type: ignore[no-any-return]

    @cached_property
    def spec(self) -> StepSpec:
        """What is known about it."""
        title = self._title
        # A lazy translation is no ``str``, and is not to be translated here.
        if isinstance(title, str) and not title:
            title = self._name.replace("_", " ").capitalize()
        return StepSpec(name=self._name, title=cast("str", title), once=self.once)

    def record(
        self, subject: object, /, *, strict: bool = False, at: datetime | None = None, **properties: object
    ) -> None:
        """Record that a subject has taken this step.

        ``subject`` is a saved model instance or its key. Inside ``atomic()`` on the events' database the
        event commits with the work; see ``docs/guarantees.md`` for the other cases. ``properties`` are
        those that the journey allows; ``at`` is for what happened earlier.

        In development (DEBUG, a test run, ``QAPROD["RERAISE"]``) ``SubjectKeyError`` and ``PropertyError``
        are raised; in production what cannot be recorded is counted and logged. ``strict`` raises those
        everywhere, and the database's own errors.
        """
        recording.record(self.taken(subject, properties, at=at), strict=strict)

    async def arecord(
        self, subject: object, /, *, strict: bool = False, at: datetime | None = None, **properties: object
    ) -> None:
        """Record that a subject has taken this step, from a coroutine."""
        # In the thread of the host's own queries, so that it is in their transaction.
        taking = self.taken(subject, properties, at=at)
        await sync_to_async(recording.record, thread_sensitive=True)(taking, strict=strict)

    def track(
        self,
        *,
        subject: str | Callable[..., object],
        properties: Callable[..., Mapping[str, object]] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Record this step whenever the decorated view or function succeeds.

        It succeeds by returning; a view by a response below 400. ``subject`` is the name of one of its
        arguments, or is called with what was returned followed by the arguments; where that gives ``None``
        nothing is recorded. ``properties`` is called in the same way and returns the event's properties.
        Works on sync and async functions and on methods; use ``method_decorator`` for classes.

        Raises ``DeclarationError`` for what it cannot decorate.
        """
        # Late, as the signals are: hosts that record by hand need neither at their start.
        from . import tracking

        return tracking.decorator(self, subject=subject, properties=properties)

    def on_create(
        self,
        model: type[M] | str,
        *,
        subject: Callable[[M], object] | None = None,
        properties: Callable[[M], Mapping[str, object]] | None = None,
    ) -> None:
        """Record this step whenever an instance of ``model`` is created.

        By ``post_save``: ``bulk_create()`` sends no signal. ``subject`` and ``properties`` are called with
        the instance; the subject is the instance itself if left out.
        """
        from . import signals

        signals.on_create(self, model, subject=subject, properties=properties)

    def on_save(
        self,
        model: type[M] | str,
        values: Mapping[str, object] | None = None,
        /,
        *,
        subject: Callable[[M], object] | None = None,
        properties: Callable[[M], Mapping[str, object]] | None = None,
        **fields: object,
    ) -> None:
        """Record this step, once a subject, when a saved instance of ``model`` gets these field values.

        ``submitted.on_save(Application, status="submitted")``: created with them, or changed to them since
        it was loaded. A field whose name is taken here goes into the dict ``values``. By ``post_init`` and
        ``post_save``: ``update()``, ``bulk_update()`` and ``bulk_create()`` send no signal. As for
        ``once``, recording may wait for another transaction that does the same.
        """
        from . import signals

        signals.on_save(self, model, {**(values or {}), **fields}, subject=subject, properties=properties)

    def taken(
        self,
        subject: object,
        properties: Mapping[str, object],
        *,
        at: datetime | None = None,
        once: bool = False,
    ) -> recording.Taking:
        """Return this step as taken by a subject, for ``recording.record``."""
        return recording.Taking(
            journey=self.journey, step=self.spec, subject=subject, properties=properties, at=at, once=once
        )
