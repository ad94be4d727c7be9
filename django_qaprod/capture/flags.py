"""Feature flags: rows of the host's that change what visitors get, without a release.

Which models hold them is said in ``QAPROD["FLAGS"]``. Rows that are changed without ``save()`` or
``delete()`` are not seen, as Django sends no signal of them.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from time import time
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from ..conf import settings
from ..pipeline import process
from ..pipeline.guard import guard, guarded
from ..records import FlagRecord, new_id
from ..text import one_line

_MOST_NAME, _MOST_NOTE = 100, 500


def install() -> None:
    """Listen to the flags' models. Those that do not exist are a system check's to tell."""
    for label in settings().flags:
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            continue
        post_save.connect(_on_saved, sender=model, dispatch_uid="qaprod.flags")
        post_delete.connect(_on_deleted, sender=model, dispatch_uid="qaprod.flags")


@guarded("capture.flags")
def _on_saved(*, instance: Model, using: str, raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        _mark(instance, _settings_of(instance), using)


@guarded("capture.flags")
def _on_deleted(*, instance: Model, using: str, **kwargs: Any) -> None:
    _mark(instance, "removed", using)


def _mark(instance: Model, note: str, using: str) -> None:
    """Record the change, if and when it is committed."""
    name = one_line(str(getattr(instance, "name", "") or instance), _MOST_NAME)
    transaction.on_commit(partial(_submit, name, note), using=using, robust=True)


def _submit(name: str, note: str) -> None:
    with guard("capture.flags"):
        if process.recording():
            at = time()
            release, host = settings().release, process.host()
            process.submit(FlagRecord(id=new_id(at), at=at, name=name, note=note, release=release, host=host))


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


_SAID = (bool, int, float, Decimal)


def _word(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else "on" if value else "off"
