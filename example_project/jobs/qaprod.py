"""What must work for the site to earn its living. Found at start-up by django-qaprod."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from django_qaprod import Journey, Step, gauge

from .models import Application, FormType


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
