"""Records steps when models are saved, without touching views."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.db.models import Field, Model
from django.db.models.signals import post_init, post_save

from .. import conf
from ..exceptions import DeclarationError
from ..pipeline import guard
from . import recording

if TYPE_CHECKING:
    from .step import Step

# On ``instance._state``: what the watched fields held when the instance was made.
_LOADED: Final = "qaprod_loaded"
_UNKNOWN: Final = object()

Receiver = Callable[..., None]


def on_create(
    step: Step,
    model: type[Model] | str,
    *,
    subject: Callable[[Any], object] | None,
    properties: Callable[[Any], Mapping[str, object]] | None,
) -> None:
    """Connect ``step`` to the creation of instances."""
    sender = _model(model)

    def created_(instance: Model, created: bool = False, raw: bool = False, **kwargs: Any) -> None:
        if created and not raw:
            _record(step, instance, subject, properties, once=False)

    _connect(created_, sender, f"{_name(step)}.on_create")


def on_save(
    step: Step,
    model: type[Model] | str,
    values: Mapping[str, object],
    *,
    subject: Callable[[Any], object] | None,
    properties: Callable[[Any], Mapping[str, object]] | None,
) -> None:
    """Connect ``step`` to instances getting field values.

    1. An instance remembers what the fields held when it was made, at no query; a deferred one is unknown.
    2. Saved with the values, it has just got them if it is new or held something else before. What was loaded
       with them got them earlier, perhaps before anybody counted.
    3. The memory is not moved on, since the transaction may be rolled back and the instance saved again: that
       a subject is counted once is for the database to decide, as for ``Step(once=True)``.
    """
    sender = _model(model)
    wanted = _by_attribute(sender, values)

    def saved(
        instance: Model,
        created: bool = False,
        raw: bool = False,
        update_fields: Collection[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if raw or not _holds(instance.__dict__, wanted):
            return
        if not created and (
            _holds(getattr(instance._state, _LOADED, {}), wanted)
            or not _written(sender, wanted, update_fields)
        ):
            return
        _record(step, instance, subject, properties, once=True)

    for attribute in wanted:
        post_init.connect(
            _rememberer(attribute), sender=sender, weak=False, dispatch_uid=f"qaprod.{attribute}"
        )
    _connect(saved, sender, f"{_name(step)}.on_save({sorted(map(str, wanted.items()))})")


def _connect(receiver: Receiver, sender: type[Model], uid: str) -> None:
    def guarded(instance: Model, **kwargs: Any) -> None:
        if conf.reraising():
            receiver(instance=instance, **kwargs)
        else:
            with guard.guard("journeys"):
                receiver(instance=instance, **kwargs)

    post_save.connect(guarded, sender=sender, weak=False, dispatch_uid=f"qaprod.{uid}")


def _name(step: Step) -> str:
    return f"{step.journey.name}.{step.spec.name}"


def _rememberer(attribute: str) -> Receiver:
    def remember(instance: Model, **kwargs: Any) -> None:
        state = instance._state.__dict__
        loaded = state.get(_LOADED)
        if loaded is None:
            loaded = state[_LOADED] = {}
        # Not ``getattr``: a deferred field would be fetched.
        loaded[attribute] = instance.__dict__.get(attribute, _UNKNOWN)

    return remember


def _record(
    step: Step,
    instance: Model,
    subject: Callable[[Any], object] | None,
    properties: Callable[[Any], Mapping[str, object]] | None,
    *,
    once: bool,
) -> None:
    with guard.theirs():
        found = instance if subject is None else subject(instance)
        if found is None:
            return
        kept = properties(instance) if properties is not None else {}
    recording.record(step.taken(found, kept, once=once))


def _holds(values: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    return all(values.get(name, _UNKNOWN) == value for name, value in wanted.items())


def _written(model: type[Model], wanted: Mapping[str, object], update_fields: Collection[str] | None) -> bool:
    """Whether the save wrote one of the fields."""
    if update_fields is None:
        return True
    return any(
        field.attname in wanted and not {field.name, field.attname}.isdisjoint(update_fields)
        for field in model._meta.concrete_fields
    )


def _by_attribute(model: type[Model], values: Mapping[str, object]) -> dict[str, object]:
    if not values:
        raise DeclarationError(
            'on_save() needs the value to wait for: on_save(Application, status="submitted").'
        )
    return {
        _field(model, name).attname: value.pk if isinstance(value, Model) else value
        for name, value in values.items()
    }


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    for field in model._meta.concrete_fields:
        if name in {field.name, field.attname}:
            return field
    known = ", ".join(field.name for field in model._meta.concrete_fields)
    raise DeclarationError(f"{model.__name__} has no column {name!r}. It has: {known}.")


def _model(model: object) -> type[Model]:
    if isinstance(model, str):
        try:
            return apps.get_model(model)
        except (LookupError, ValueError) as error:
            raise DeclarationError(f'There is no model {model!r}: name it as "app_label.Model".') from error
    if isinstance(model, type) and issubclass(model, Model):
        return model
    raise DeclarationError(f"{model!r} is not a model.")
