"""A journey: a business process and its steps, declared as a class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from django.utils.text import camel_case_to_spaces

from .. import registry
from ..exceptions import DeclarationError
from ..registry import JourneySpec
from . import recording
from .step import Step
from .unknown import JourneyType

if TYPE_CHECKING:
    from ..specs import Measure

_MAX_NAME = 100
_OPTIONS = frozenset({"strict", "at"})


class Journey(metaclass=JourneyType):
    """A business process, whose steps are the ``Step`` objects in the class body, in their order.

    The journey is registered when the class is made. ``name`` is stored with every event: the class's name
    in snake case unless it says otherwise, so set it before renaming a class. ``title`` is for people.
    ``properties`` are the names of the properties that may be kept of an event; ``variant`` is the one by
    which forms are compared.

    A class without steps is a base for others; a subclass has the steps of its bases first.
    """

    name: ClassVar[str] = ""
    title: ClassVar[Any] = ""
    variant: ClassVar[str] = ""
    properties: ClassVar[Iterable[str]] = ()
    #: What is known about the journey; made from the rest.
    spec: ClassVar[JourneySpec]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_reserved(cls)
        steps = _own_steps(cls)
        if "name" not in cls.__dict__:
            cls.name = camel_case_to_spaces(cls.__name__).replace(" ", "_")
        if steps:
            cls.spec = _spec(cls, steps)
            registry.register(cls.spec)

    def __new__(cls) -> Self:
        raise DeclarationError(
            f"{cls.__name__} is not instantiated: use it as it is, {cls.__name__}.step.record(…)."
        )

    @classmethod
    def bind(cls, subject: object) -> None:
        """Say that the request being served is part of this subject's journey, so that its failures name it.

        Does nothing outside a request.
        """
        recording.bind(cls.spec, subject)

    @classmethod
    def failures(cls) -> Measure:
        """Return the failures of this journey, for a rule to watch."""
        # Late: only rules ask for it.
        from ..specs import Measure

        return Measure(kind="failures", journey=cls.spec.name)


def _own_steps(cls: type[Journey]) -> list[Step]:
    """Return the steps in order; those of the bases become steps of this class."""
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    steps: list[Step] = []
    for name in names:
        step = getattr(cls, name)
        if isinstance(step, Step):
            if name not in vars(cls):
                step = step.inherited_by(cls, name)
                setattr(cls, name, step)
            steps.append(step)
    return steps


def _spec(cls: type[Journey], steps: list[Step]) -> JourneySpec:
    _refuse_texts(cls)
    title = cls.title
    if isinstance(title, str) and not title:
        title = camel_case_to_spaces(cls.__name__).capitalize()
    return JourneySpec(
        name=cls.name,
        # A lazy translation is as good: it is shown, never stored.
        title=cast("str", title),
        module=cls.__module__,
        steps=tuple(step.spec for step in steps),
        variant=cls.variant,
        properties=tuple(cls.properties),
    )


def _refuse_texts(cls: type[Journey]) -> None:
    declared: dict[str, Any] = {name: getattr(cls, name) for name in ("name", "variant", "properties")}
    for what in ("name", "variant"):
        if not isinstance(declared[what], str) or len(declared[what]) > _MAX_NAME:
            raise DeclarationError(f"{cls.__name__}.{what} is a text of at most {_MAX_NAME} characters.")
    names = declared["properties"]
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise DeclarationError(f'{cls.__name__}.properties is a tuple of names: properties = ("form_type",)')
    for name in (*names, declared["variant"]):
        if name in _OPTIONS:
            raise DeclarationError(f"{cls.__name__}: {name!r} is an option of record(); rename the property.")


def _refuse_reserved(cls: type[Journey]) -> None:
    for name, value in vars(cls).items():
        if isinstance(value, Step) and (name in vars(Journey) or len(name) > _MAX_NAME):
            raise DeclarationError(
                f"{cls.__name__}.{name}: a step cannot have that name; choose another one."
            )
