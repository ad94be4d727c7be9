"""What must work for the site to earn its living. Found at start-up by django-qaprod."""

from __future__ import annotations

from datetime import time, timedelta
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from django_qaprod import Expectation, Journey, Step, alerts, gauge

from .models import Application, FormType

# On the demo somebody watches, among thousands of visitors an hour: what takes hours there takes minutes.
WATCHED = settings.CHAOS_OPEN
FORM = "applications/<uuid:token>/form/<slug:page>/"
IMPORT = "import of vacancies"
MOST_REMEMBERED = 64 * 2**20


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


# What must never happen needs one. What a visitor got as an error page is told by “a critical view fails”.
alerts.Threshold(
    "applications fail",
    of=JobApplication.failures(),
    at_least=1,
    inhibited_by=("a critical view fails",),
    description="Open the failure that is named: mend it, then replay what it kept.",
)

# In the place of the rule of that name that comes with the app: who was told of the form knows.
alerts.Ratio(
    "requests fail",
    of=alerts.requests().errors(),
    per=alerts.requests(),
    above=0.05,
    min_count=50,
    window=timedelta(minutes=10),
    inhibited_by=("a critical view fails",),
    description="See the requests by route: one route is a bug, all of them are a database that is gone.",
)

# Did they press the button, or did a change of the style sheet break it in some browser?
alerts.Dip(
    "fewer applications than usual",
    of=JobApplication.submitted,
    by="browser",
    # Always, but for bank holidays: nobody applies then.
    hours=alerts.WorkingHours(
        days=range(7),
        begin=time(0),
        end=time(23, 59, 59),
        holidays="GB-ENG" if find_spec("holidays") else "",
    ),
    inhibited_by=("requests fail", "nobody gets through"),
    description="Apply yourself, in the browser that is named. Nothing may fail: a button may be gone.",
)

alerts.Ratio(
    "applicants give up",
    of=JobApplication.submitted,
    per=JobApplication.started,
    below=0.3,
    min_count=30,
    # Of one browser there are too few on a small site: it is the dip that tells them apart.
    by="browser" if WATCHED else "",
    window=timedelta(minutes=3) if WATCHED else timedelta(hours=2),
    inhibited_by=("applications fail", "fewer applications than usual"),
    description="Applications are begun and not sent. Apply yourself, in the browser that is named.",
)

# The expectation knows each that is missing; this one would tell if it were not looked at.
alerts.OutOfSync(
    "e-mails are out of step",
    one=JobApplication.submitted,
    other=SchoolEmail.sent,
    within=timedelta(minutes=3) if WATCHED else timedelta(minutes=30),
    window=timedelta(minutes=10) if WATCHED else timedelta(hours=6),
    at_least=0.9,
    min_count=10,
    severity="warning",
    inhibited_by=("an expectation is not met", "applications fail"),
    description="Ask the mail service what became of what it took.",
)

# The server, the network before it, or the balancer is dead: its monitor asks for a page every minute.
alerts.Absence(
    "nobody gets through",
    of=alerts.requests(),
    window=timedelta(minutes=5),
    severity="critical",
    on=not WATCHED,
    description="Ask for the site yourself. If it answers, look at the balancer.",
)

# Told by ``qaprod_beat``, which runs the command.
_LOG = "Its log says why. Run it again by hand: it can run at any time."
if WATCHED:
    alerts.Heartbeat(IMPORT, every=timedelta(minutes=1), grace=timedelta(minutes=1), description=_LOG)
else:
    alerts.Heartbeat(IMPORT, cron="30 2 * * *", grace=timedelta(minutes=30), description=_LOG)

# Before it happens.
alerts.Trend(
    "memory will run out",
    of=alerts.gauge("searches.remembered"),
    reaches=MOST_REMEMBERED,
    within=timedelta(hours=2),
    window=timedelta(hours=1),
    severity="warning",
    description="Start the processes anew one by one, before they are killed. Then look for what grew.",
)

alerts.BurnRate(
    "forms are answered",
    of=alerts.requests(route=FORM).errors(),
    per=alerts.requests(route=FORM),
    objective=0.995,
    inhibited_by=("a critical view fails", "requests fail"),
    description="Errors of the form are few, and yet too many for what we promise. See its failures.",
)


@gauge("searches.remembered", every=10, unit="By", limit=MOST_REMEMBERED)
def remembered() -> int:
    """Bytes of what was searched for, which a process remembers."""
    from . import search

    return search.remembered.size()


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
