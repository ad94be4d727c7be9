"""A journey; imported only where django-qaprod is installed."""

from __future__ import annotations

from django_qaprod import Journey, Step


class JobApplication(Journey):
    """An application for a vacancy."""

    started = Step()
    updated = Step()
    submitted = Step()
    variant = "form_type"
    properties = ("form_type",)
