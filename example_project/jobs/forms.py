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

    #: What need not be filled in.
    optional: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if faults.on("unbuildable-form"):
            # A field was taken out of the forms, and not out of what is done to them.
            self.fields["national_insurance_number"].required = False
        for name, field in self.fields.items():
            field.required = name not in self.optional and not isinstance(field, forms.BooleanField)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if faults.on("broken-form") and cleaned["years"] < 1:
            # A new rule is checked on every page, and most pages do not ask for the years.
            self.add_error("years", "Please apply after your first year.")
        return cleaned


class AboutForm(StepForm):
    optional = ("current_school",)

    class Meta:
        model = Application
        fields = ("full_name", "email", "phone", "town", "current_school")
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


class StartForm(forms.Form):
    """A button: nothing is asked before the first page."""


class SubmitForm(forms.Form):
    """The last word of an applicant. ``application`` has to be complete, if it is known."""

    declaration = forms.BooleanField(label="what I wrote is true, and I may work in the United Kingdom")

    def __init__(self, *args: Any, application: Application | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.application = application

    def clean(self) -> dict[str, Any]:
        unfinished = first_unfinished(self.application) if self.application else None
        if unfinished is not None:
            raise forms.ValidationError(f"Something is missing on “{unfinished.title}”.")
        return self.cleaned_data


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


#: The pages by their places in the address: no application has to be known for it.
BY_SLUG: dict[str, Page] = {page.slug: page for pages in PAGES.values() for page in pages}


def first_unfinished(application: Application) -> Page | None:
    """Return the first page on which something is missing, or ``None``."""
    return next((page for page in PAGES[application.form_type] if not _finished(page, application)), None)


def answers(application: Application) -> list[tuple[Page, list[tuple[str, Any]]]]:
    """Return what was filled in, page by page, as pairs of question and answer."""
    return [(page, _answers(page, application)) for page in PAGES[application.form_type]]


def _answers(page: Page, application: Application) -> list[tuple[str, Any]]:
    fields: list[Any] = [Application._meta.get_field(name) for name in _names(page)]
    return [(str(field.verbose_name), getattr(application, field.name)) for field in fields]


def _finished(page: Page, application: Application) -> bool:
    asked = (name for name in _names(page) if name not in page.form.optional)
    return all(getattr(application, name) not in ("", None) for name in asked)


def _names(page: Page) -> tuple[str, ...]:
    names: tuple[str, ...] = page.form.Meta.fields  # type: ignore[attr-defined]
    return names
