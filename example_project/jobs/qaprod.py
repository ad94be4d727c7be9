"""What must work for the site to earn its living. Found at start-up by django-qaprod."""

from __future__ import annotations

from django_qaprod import Journey, Step

from .models import Application


class JobApplication(Journey):
    """From the first click on "apply" to the application on its way to the school."""

    started = Step()
    updated = Step()
    submitted = Step()
    variant = "form_type"
    properties = ("form_type",)


# Wherever an application is made, in a view, a command or a test, its journey has begun.
JobApplication.started.on_create(
    Application, properties=lambda application: {"form_type": application.form_type}
)
