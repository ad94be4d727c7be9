"""The e-mail that brings an application to its school."""

from __future__ import annotations

import logging

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone

from django_qaprod import degrade

from ..chaos import faults
from .forms import answers
from .models import Application
from .qaprod import JobApplication, SchoolEmail

logger = logging.getLogger(__name__)


@degrade("e-mail to the school", severity="critical", journey=JobApplication)
def send_application(application: Application) -> None:
    """Send an application to its school. The visitor is done, whether that works at once or not."""
    school = application.vacancy.school
    logger.info("Sending application %s to the school.", application.pk)
    if faults.on("lost-email"):
        # The service takes it, and that is the last that is seen of it.
        return
    EmailMessage(
        subject=f"Application: {application.vacancy.title}",
        body=render_to_string("jobs/mail.txt", {"application": application, "answers": answers(application)}),
        to=[school.email],
        reply_to=[application.email],
    ).send()
    Application.objects.filter(pk=application.pk).update(emailed_at=timezone.now())
    SchoolEmail.sent.record(application)
