"""Forms and formsets, built and validated for a view that has failed: as far as can be, piece by piece."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseForm, BaseFormSet
from django.forms.utils import ErrorDict, ErrorList
from django.http import HttpRequest

from .call import Call, Failed

#: The hidden input that names the fields which were shown as free text.
FREE_TEXT = "qaprod_free_text"

_TAKEN = frozenset({"unique", "unique_together"})


@dataclass(slots=True, kw_only=True)
class Built:
    """A form or formset of the host's. Not ``whole``: the fields alone, without the code around them."""

    name: str
    form: BaseForm | BaseFormSet[Any]
    whole: bool
    #: Whether it was given all that the host gives it.
    complete: bool

    @property
    def forms(self) -> list[BaseForm]:
        """The form, or those of the formset."""
        return list(self.form.forms) if isinstance(self.form, BaseFormSet) else [self.form]


def build(call: Call, *, bound: bool) -> list[Built]:
    """Return the forms that can be had. ``bound`` ones hold what was sent, if that can be read."""
    classes = call.attempt("form", call.form_classes)
    if not isinstance(classes, Mapping):
        return []
    sent = _sent(call) if bound else {}
    return [built for name, made in classes.items() if (built := _built(call, name, made, sent)) is not None]


def _sent(call: Call) -> dict[str, Any]:
    sent = call.attempt("body", lambda: {"data": call.request.POST, "files": call.request.FILES})
    return sent if isinstance(sent, dict) else {}


def _built(call: Call, name: str, form_class: type[Any], sent: dict[str, Any]) -> Built | None:
    kwargs, complete = call.form_kwargs(name)
    form = call.attempt("form", lambda: _made(form_class, {**sent, **kwargs}))
    if not isinstance(form, Failed):
        return Built(name=name, form=form, whole=True, complete=complete)
    known: dict[str, Any] = {option: kwargs[option] for option in ("initial", "prefix") if option in kwargs}
    form = call.attempt("form", lambda: _made(_bare(form_class), {**sent, **_prefixed(form_class, known)}))
    if isinstance(form, Failed):
        form = call.attempt("form", lambda: _made(_bare(form_class), sent))
    if isinstance(form, Failed):
        return None
    return Built(name=name, form=form, whole=False, complete=False)


def _made(form_class: type[Any], kwargs: dict[str, Any]) -> Any:
    form = form_class(**kwargs)
    if isinstance(form, BaseFormSet):
        # What is made when it is looked at: here it may fail.
        _ = form.management_form, form.forms
    return form


def _bare(form_class: type[Any]) -> type[Any]:
    """Return a class with the fields of the host's and none of its code."""
    if issubclass(form_class, BaseFormSet):
        return forms.formset_factory(
            _bare_form(form_class.form, _keys_of(form_class)),
            extra=max(form_class.extra, 1),
            can_delete=form_class.can_delete,
            can_order=form_class.can_order,
        )
    return _bare_form(form_class, [])


def _bare_form(form_class: type[Any], keys: list[str]) -> type[BaseForm]:
    fields = {name: _copied(field) for name, field in form_class.base_fields.items()}
    for key in keys:
        fields.setdefault(key, forms.CharField(required=False, widget=forms.HiddenInput))
    marks = {mark: getattr(form_class, mark, ()) for mark in ("qaprod_private", "qaprod_kept")}
    return type(
        form_class.__name__, (BaseForm,), {**marks, "base_fields": fields, "use_required_attribute": False}
    )


def _copied(field: forms.Field) -> forms.Field:
    try:
        return copy.deepcopy(field)
    except Exception:  # noqa: BLE001 - a form copies its fields: one that cannot be copied becomes free text
        return forms.CharField(label=field.label, required=False)


def _keys_of(formset_class: type[Any]) -> list[str]:
    """Return the hidden fields by which a model formset knows its objects."""
    model, parent = getattr(formset_class, "model", None), getattr(formset_class, "fk", None)
    keys = [model._meta.pk.name] if model is not None else []
    return [*keys, parent.name] if parent is not None else keys


def _prefixed(form_class: type[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    if issubclass(form_class, BaseFormSet):
        return {"prefix": form_class.get_default_prefix(), **kwargs}
    prefix = kwargs.get("prefix", form_class.prefix)
    return {**kwargs, "prefix": prefix} if prefix else kwargs


def judge(call: Call, built: list[Built]) -> bool | None:
    """Return whether what was sent is valid: ``None`` if nobody can tell. Errors are put on the forms."""
    free = frozenset(free_text(call.request))
    verdicts = [_judged(call, one, free) for one in built]
    if False in verdicts:
        return False
    return None if None in verdicts or not verdicts else True


def is_only_taken(built: list[Built]) -> bool:
    """Whether all errors say that there is one like it already."""
    found = [error for one in built for errors in _all_errors(one) for error in errors.as_data()]
    return bool(found) and all(error.code in _TAKEN for error in found)


def _all_errors(built: Built) -> Iterator[ErrorList]:
    if isinstance(built.form, BaseFormSet):
        yield built.form.non_form_errors()
    for form in built.forms:
        yield from form.errors.values()


def free_text(request: HttpRequest) -> list[str]:
    """Return the names of the fields that the page showed as free text."""
    return [name for name in request.POST.get(FREE_TEXT, "").split(",") if name]


def _judged(call: Call, built: Built, free: frozenset[str]) -> bool | None:
    if not built.form.is_bound:
        return None
    if not built.whole:
        # What their own code makes of the fields is not known: "required" may not even be true.
        _without_errors(built)
        return None
    valid = call.attempt("validation", built.form.is_valid) if built.complete else None
    if not isinstance(valid, bool):
        errors = [_clean(call, form) for form in built.forms]
        known = None
    else:
        errors = [bool(form.errors) for form in built.forms]
        known = valid
    forgiven = [_forgive(form, free) for form in built.forms] if free else []
    if any(forgiven):
        return False if any(form.errors for form in built.forms) else None
    return False if any(errors) else known


def _without_errors(built: Built) -> None:
    if isinstance(built.form, BaseFormSet):
        vars(built.form).update(_errors=[{} for _ in built.forms], _non_form_errors=built.form.error_class())
    for form in built.forms:
        _begin_errors(form)


def _begin_errors(form: BaseForm) -> None:
    # Else the first look at ``errors`` would validate.
    vars(form).update(_errors=ErrorDict(), cleaned_data={})


def _clean(call: Call, form: BaseForm) -> bool:
    """Clean a form field by field, what cannot be told being well; return whether it has errors."""
    _begin_errors(form)
    if form.empty_permitted and call.attempt("validation", form.has_changed) is not True:
        return False
    for name, error in _errors(call, form):
        form.add_error(name, error)
    return bool(form.errors)


def _errors(call: Call, form: BaseForm) -> Iterator[tuple[str, ValidationError]]:
    for name in form.fields:
        error = call.attempt("validation", lambda name=name: _error(form, name))  # type: ignore[misc]
        if isinstance(error, ValidationError):
            yield name, error


def _error(form: BaseForm, name: str) -> ValidationError | None:
    bound = form[name]
    try:
        if isinstance(bound.field, forms.FileField):
            bound.field.clean(bound.data, bound.initial)
        elif not bound.field.disabled:
            bound.field.clean(bound.data)
    except ValidationError as error:
        return error
    return None


def _forgive(form: BaseForm, free: frozenset[str]) -> bool:
    """Drop the errors of fields that the visitor was given as free text; return whether there were any."""
    named = [name for name in form.errors if name in form.fields and form.add_prefix(name) in free]
    for name in named:
        del form.errors[name]
    return bool(named)
