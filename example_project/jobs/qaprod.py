"""What must work for the site to earn its living. Found at start-up by django-qaprod."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from django_qaprod import Expectation, Journey, Step, gauge

from .models import Application, FormType


class JobApplication(Journey):
    """From the first click on "apply" to the application on its way to the school."""

    started = Step()
    updated = Step()
    submitted = Step()
    variant = "form_type"
    properties = ("form_type",)


class SchoolEmail(Journey):
    """The e-mail that carries an application to its school."""

    title = "E-mail to the school"
    sent = Step()


def send_again(breach: Any, *, dry_run: bool) -> str:
    """Send an application to its school once more."""
    from .mail import send_application

    application = Application.objects.select_related("vacancy__school").get(pk=breach.subject)
    if dry_run:
        return f"would write to {application.vacancy.school.email}"
    send_application(application)
    application.refresh_from_db()
    return "sent" if application.emailed_at else "could not be sent; the failure is recorded"


# A minute, so that it can be watched; half an hour would do.
Expectation(
    "every application reaches its school",
    when=JobApplication.submitted,
    then=SchoolEmail.sent,
    within=timedelta(minutes=1),
    once=True,
    never_alone=True,
    repair=send_again,
)

# Wherever an application is made, in a view, a command or a test, its journey has begun.
JobApplication.started.on_create(
    Application, properties=lambda application: {"form_type": application.form_type}
)


@gauge("applications.unsent", every=10, unit="{application}", limit=50)
def unsent() -> int:
    """Applications that were submitted and have not been sent to their school."""
    return Application.objects.filter(status=Application.Status.SUBMITTED, emailed_at=None).count()


@gauge("applications.unfinished", every=60, unit="{application}")
def unfinished() -> dict[str, int]:
    """Applications that were begun more than an hour ago, and never submitted."""
    begun = Application.objects.filter(
        status=Application.Status.DRAFT, created_at__lt=timezone.now() - timedelta(hours=1)
    )
    found = dict(begun.order_by().values_list("form_type").annotate(Count("pk")))
    return {form_type: found.get(form_type, 0) for form_type in FormType.values}
