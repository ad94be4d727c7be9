"""The application forms: two types, each in steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User

from ..chaos import faults
from .models import Application, FormType


class StepForm(forms.ModelForm):
    """A page of an application form. Everything on it is needed before it can be submitted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.required = not isinstance(field, forms.BooleanField)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if faults.on("broken-form") and cleaned["years"] < 1:
            # A new rule is checked on every page, and most pages do not ask for the years.
            self.add_error("years", "Please apply after your first year.")
        return cleaned


class AboutForm(StepForm):
    class Meta:
        model = Application
        fields = ("full_name", "email", "phone", "town")
        widgets = {
            "full_name": forms.TextInput({"autocomplete": "name"}),
            "email": forms.EmailInput({"autocomplete": "email"}),
            "phone": forms.TextInput({"autocomplete": "tel", "type": "tel"}),
            "town": forms.TextInput({"autocomplete": "address-level2"}),
        }


class TeachingForm(StepForm):
    class Meta:
        model = Application
        fields = ("qualification", "subjects", "years")


class ExperienceForm(StepForm):
    class Meta:
        model = Application
        fields = ("experience", "first_aid")
        widgets = {"experience": forms.Textarea({"rows": 6})}


class StatementForm(StepForm):
    class Meta:
        model = Application
        fields = ("statement", "available_from")
        widgets = {
            "statement": forms.Textarea({"rows": 8}),
            "available_from": forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        }


class AvailabilityForm(StepForm):
    class Meta:
        model = Application
        fields = ("days", "statement", "available_from")
        help_texts = {"days": "For example: Monday to Thursday"}
        widgets = StatementForm.Meta.widgets


class SignUpForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a form: its place in the address, its heading and its fields."""

    slug: str
    title: str
    form: type[StepForm]


_ABOUT = Page(slug="about", title="About you", form=AboutForm)

PAGES: dict[str, tuple[Page, ...]] = {
    FormType.TEACHER: (
        _ABOUT,
        Page(slug="teaching", title="Your teaching", form=TeachingForm),
        Page(slug="statement", title="Your statement", form=StatementForm),
    ),
    FormType.SUPPORT: (
        _ABOUT,
        Page(slug="experience", title="Your experience", form=ExperienceForm),
        Page(slug="availability", title="Your availability", form=AvailabilityForm),
    ),
}


def first_unfinished(application: Application) -> Page | None:
    """Return the first page on which something is missing, or ``None``."""
    return next((page for page in PAGES[application.form_type] if not _finished(page, application)), None)


def answers(application: Application) -> list[tuple[Page, list[tuple[str, Any]]]]:
    """Return what was filled in, page by page, as pairs of question and answer."""
    return [(page, _answers(page, application)) for page in PAGES[application.form_type]]


def _answers(page: Page, application: Application) -> list[tuple[str, Any]]:
    names = page.form.Meta.fields  # type: ignore[attr-defined]
    fields: list[Any] = [Application._meta.get_field(name) for name in names]
    return [(str(field.verbose_name), getattr(application, field.name)) for field in fields]


def _finished(page: Page, application: Application) -> bool:
    return all(answer not in ("", None) for _, answer in _answers(page, application))
