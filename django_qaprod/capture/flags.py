"""Feature flags: rows of the host's that change what visitors get, without a release.

Which models hold them is said in ``QAPROD["FLAGS"]``. Rows that are changed without ``save()`` or
``delete()`` are not seen, as Django sends no signal of them.

A change costs its request no query. Who saves in a loop gets ``MOST_AN_HOUR`` marks, and the others counted.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from time import monotonic, time
from typing import Any, Final

from django.apps import apps
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from ..conf import settings
from ..pipeline import guard, messages, process
from ..records import FlagRecord, new_id
from ..text import one_line

#: Marks of a process in any hour: more would hide on a chart what they are to show.
MOST_AN_HOUR: Final = 100

_MOST_NAME, _MOST_NOTE = 100, 500
# What of a row is said: no texts, which may say whom it is for.
_SAID = (bool, int, float, Decimal)
_HOUR = 3600.0

# When the last ones were made, by ``monotonic``.
_made: deque[float] = deque(maxlen=MOST_AN_HOUR)


def install() -> None:
    """Listen to the flags' models. Those that do not exist are a system check's to tell."""
    for label in settings().flags:
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            continue
        post_save.connect(_on_saved, sender=model, dispatch_uid="qaprod.flags")
        post_delete.connect(_on_deleted, sender=model, dispatch_uid="qaprod.flags")


@guard.guarded("capture.flags")
def _on_saved(*, instance: Model, using: str, raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        _mark(instance, _settings_of(instance), using)


@guard.guarded("capture.flags")
def _on_deleted(*, instance: Model, using: str, **kwargs: Any) -> None:
    _mark(instance, "removed", using)


def _mark(instance: Model, note: str, using: str) -> None:
    """Record the change, if and when it is committed."""
    if not process.recording():
        return
    if not _admitted():
        guard.dropped("flags")
        return
    name = _name_of(instance)
    # No ``partial``: should it fail, Django up to 6.0 asks for its ``__qualname__``.
    transaction.on_commit(lambda: _submit(name, note), using=using, robust=True)


def _admitted() -> bool:
    now = monotonic()
    if len(_made) == MOST_AN_HOUR and now - _made[0] < _HOUR:
        return False
    _made.append(now)
    return True


def _name_of(instance: Model) -> str:
    """Return the row's name, or what it says of itself; without a query, or by its model and key."""
    # Past properties and relations that are called so, which may ask the database.
    fields = {field.attname for field in instance._meta.concrete_fields}
    name = vars(instance).get("name") if "name" in fields else None
    if not (name and isinstance(name, str)):
        name = "" if instance.get_deferred_fields() else _said_by(instance)
    return one_line(name or "", _MOST_NAME) or f"{instance._meta.label} {instance.pk}"


@guard.guarded("capture.flags")
def _said_by(instance: Model) -> str:
    try:
        with messages.queries_refused():
            return str(instance)
    except messages.QueryRefusedError:
        return ""


def _submit(name: str, note: str) -> None:
    with guard.guard("capture.flags"):
        # Not at every start of the host: its patterns are many.
        from ..pipeline import scrub

        at = time()
        record = FlagRecord(
            id=new_id(at),
            at=at,
            name=scrub.text(name, _MOST_NAME),
            note=scrub.text(note, _MOST_NOTE),
            release=settings().release,
            host=process.host(),
        )
        process.submit(record)


def _settings_of(instance: Model) -> str:
    """Return what stands in the row's switches and numbers; texts, whom it is for, are not ours to keep."""
    deferred = instance.get_deferred_fields()
    values = {
        field.name: getattr(instance, field.attname)
        for field in instance._meta.concrete_fields
        if not (field.primary_key or field.is_relation or field.attname in deferred)
    }
    said = (f"{name} {_word(value)}" for name, value in values.items() if isinstance(value, _SAID))
    return one_line(", ".join(said), _MOST_NOTE)


def _word(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else "on" if value else "off"
