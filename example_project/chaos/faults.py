"""The faults that there are, and what to expect of each."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from .switches import Switches


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that can be broken on purpose."""

    name: str
    title: str
    breaks: str
    visitor: str
    look: str
    #: Which alert is to be expected, and when; or why none is.
    told: str
    #: The page of the admin to look at: its URL's name, a query, and the words for the link.
    page: tuple[str, str, str]
    #: Whether the visitor can go on all the same.
    served: bool
    #: Whether what visitors send is kept, so that there is something to replay.
    kept: bool = False
    #: Whether something that is expected does not come.
    missing: bool = False

    @property
    def pages(self) -> tuple[tuple[str, str, str], ...]:
        """The pages to look at."""
        further = ((self.kept, _RESCUED), (self.missing, _BREACHES), (self.page != _ALERTS, _ALERTS))
        return (self.page, *(page for there, page in further if there))


_FAILURES = "admin:qaprod_failure_changelist"
_DEGRADED = (_FAILURES, "kind__exact=degraded", "Failures, degraded")
_UNHANDLED = (_FAILURES, "kind__exact=unhandled", "Failures, unhandled")
_FAILURES_ALL = (_FAILURES, "", "Failures")
_BREACHES = ("admin:qaprod_breach_changelist", "", "Breaches")
_ALERTS = ("admin:qaprod_alert_changelist", "", "Alerts")
_RESCUED = ("admin:qaprod_rescuedsubmission_changelist", "", "Rescued submissions")

_FAIL = "“Applications fail”, within a minute of the first visitor who meets it."
_CRITICAL = "“A critical view fails”, critical and at once. "

FAULTS: tuple[Fault, ...] = (
    Fault(
        name="missing-data",
        title="Missing data",
        breaks="The profile service has lost all qualifications: its list of them is empty.",
        visitor="Teachers who are logged in get the form, only that nothing is filled in for them.",
        look="IndexError as a degraded failure named “profile prefill”, with the applications that met it; "
        "the requests of the form count as degraded, not as errors.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
    ),
    Fault(
        name="slow-profiles",
        title="Slow profile service",
        breaks="The profile service takes eight seconds for each answer.",
        visitor="The first teachers wait for one second, then get the form without their profile. After "
        "that the circuit breaker serves everybody at once, and one in ten seconds tries again.",
        look="TimeoutError as a degraded failure with the state of the breaker; p95 of the form's route.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
    ),
    Fault(
        name="dead-profiles",
        title="Dead profile service",
        breaks="The profile service hangs up on everybody.",
        visitor="The form, without their profile.",
        look="A degraded failure (RemoteDisconnected), with how many started applications met it "
        "and how many were served anyway.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
    ),
    Fault(
        name="dead-search",
        title="School search fails",
        breaks="The search index for schools is gone.",
        visitor="The list of all schools, with a line that says so.",
        look="SearchIndexError as a degraded failure named “school search”. No journey suffers by it, "
        "so it stands low.",
        told="Nobody: visitors are served, and no application suffers. It stands in the list of failures.",
        page=_DEGRADED,
        served=True,
    ),
    Fault(
        name="flaky-email",
        title="Flaky e-mail",
        breaks="Every second e-mail to a school is refused by the mail server.",
        visitor="Nothing: their application is submitted. The school has not got it.",
        look="A degraded failure of the highest severity, named “e-mail to the school”. Two minutes "
        "later each application that has not reached its school is a breach, whose repair sends it again.",
        told="“Applications fail” within a minute; three minutes later “an expectation is not met”, which "
        "stays until the applications have been sent again.",
        page=_DEGRADED,
        served=True,
        missing=True,
    ),
    Fault(
        name="broken-form",
        title="Exception in the form",
        breaks="A rule that was added to the form's validation fails on most pages.",
        visitor="The form opens. Whoever saves it is told that it has been received, and gets a reference: "
        "what was typed is kept. A mistake in it is still pointed out.",
        look="KeyError as a degraded failure of the form; on its page, the submissions that wait. Switch "
        "this off, replay them, and they are where they belong.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
        kept=True,
    ),
    Fault(
        name="broken-view",
        title="The form's view fails",
        breaks="A rule is looked up that a release has removed, before the view has done anything.",
        visitor="The form, in the site's own page, with a line that something is missing. What they send "
        "is kept, with a reference.",
        look="RuleError as a degraded failure; it says from which step of the ladder they were served.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
        kept=True,
    ),
    Fault(
        name="broken-audit",
        title="The view fails when it has written",
        breaks="The audit log, to which each change is told last, refuses connections.",
        visitor="Received, with a reference.",
        look="ConnectionRefusedError as a degraded failure. What the view had written is rolled back, its "
        "step of the journey too: the funnel counts only what was stored. A replay stores it once.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
        kept=True,
    ),
    Fault(
        name="unbuildable-form",
        title="The form cannot be built",
        breaks="The form's own code fails as soon as somebody makes one.",
        visitor="A plain page with the fields of the form, empty. What they send is kept.",
        look="KeyError as a degraded failure, served: plain.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
        kept=True,
    ),
    Fault(
        name="broken-page",
        title="The form's template fails",
        breaks="The template of the form's page includes one that was renamed.",
        visitor="A plain page with the form and all that is known of it. Saving works as ever.",
        look="TemplateDoesNotExist as a degraded failure, served: plain.",
        told=_FAIL,
        page=_DEGRADED,
        served=True,
    ),
    Fault(
        name="broken-context",
        title="A context processor fails",
        breaks="What the head of each page needs, the news, cannot be had.",
        visitor="An error page everywhere but on the forms: those are plain, and work.",
        look="KeyError, as degraded failures of the forms and as unhandled ones of the other pages.",
        told="“Applications fail” within a minute, and “requests fail”, once fifty have come and one in "
        "twenty has failed; “a critical view fails” by the page before the button.",
        page=_FAILURES_ALL,
        served=False,
    ),
    Fault(
        name="dead-sessions",
        title="The session store is dead",
        breaks="Whoever asks for a session gets an error. So nobody knows who is visiting.",
        visitor="A plain page with an empty form. What they send is kept. Whoever logs in or starts an "
        "application gets an error page: no decorator reaches the middleware that saves the session.",
        look="SessionStoreError, degraded and unhandled. Nobody could tell who had sent what is kept; "
        "a replay asks the session.",
        told=_CRITICAL + "And “requests fail”. “Applications fail” is held back: it has the same reason.",
        page=_DEGRADED,
        served=True,
        kept=True,
    ),
    Fault(
        name="dead-database",
        title="The database is dead",
        breaks="Every query of the site fails.",
        visitor="The form on a plain page, where the list of schools is free text. What they send is kept "
        "in the spool, and they are told so. Pages that are no forms are error pages.",
        look="OperationalError, and within seconds what was sent: it is brought in from the spool.",
        told=_CRITICAL + "And “requests fail”.",
        page=_FAILURES_ALL,
        served=False,
        kept=True,
    ),
    Fault(
        name="secret-form",
        title="The form fails, and nothing may be kept",
        breaks="The form's view fails, and somebody has marked all that is sent as sensitive.",
        visitor="Not received, says the page, with status 503; all that they typed is still in it.",
        look="Two degraded failures, one of which says why nothing could be kept.",
        told="“Applications fail”, within a minute of the first visitor who meets it.",
        page=_DEGRADED,
        served=False,
    ),
    Fault(
        name="template-error",
        title="Template error",
        breaks="The page of a vacancy includes a template that was renamed.",
        visitor="An error page instead of the vacancy: nobody new can apply.",
        look="TemplateDoesNotExist as an unhandled failure of the route vacancies/<int:pk>/; the funnel "
        "dries up at its top while those who had started go on.",
        told="“Requests fail”, once more than one in twenty of ten minutes' requests has failed: within a "
        "minute or two.",
        page=_UNHANDLED,
        served=False,
    ),
    Fault(
        name="locked-table",
        title="Database table locked",
        breaks="Another process holds a write lock and does not let go of it.",
        visitor="Pages can be read. Whoever saves or submits waits for five seconds, then is told that it "
        "has been received: it is kept in a file meanwhile. Starting an application fails, and says so.",
        look="OperationalError (“database is locked”, on PostgreSQL a lock timeout) as a degraded failure. "
        "It is recorded although the database takes no writes; what was sent is there when it does.",
        told="“Applications fail” within a minute, and “requests fail” after it.",
        page=_DEGRADED,
        served=False,
        kept=True,
    ),
    Fault(
        name="broken-stream",
        title="Error in mid-stream",
        breaks="Downloading or printing an application fails after its first part.",
        visitor="A download that breaks off. Its status was 200: no access log shows it.",
        look="UnicodeError as an unhandled failure of the download's route.",
        told="Nobody, as long as few download: it stands in the list of failures.",
        page=_UNHANDLED,
        served=False,
    ),
    Fault(
        name="lost-button",
        title="The button is gone in one browser",
        breaks="A new style sheet, written with a rule that only Safari knows, hides the submit button "
        "there.",
        visitor="In Safari the application cannot be sent. Everywhere else it can. The server sends the "
        "same page to all.",
        look="There is no error anywhere. The funnel by browser shows it: Safari reaches “updated” "
        "and never “submitted”.",
        told="“Applicants give up: Safari”, after three to five minutes. At the pace of a small site it "
        "would be “fewer applications than usual: Safari”, after some hours.",
        page=("admin:qaprod_journeypage_changelist", "", "Journeys"),
        served=False,
    ),
    Fault(
        name="lost-email",
        title="E-mail stops",
        breaks="The mail service takes each e-mail to a school, and loses it. It says that all is well.",
        visitor="Nothing: their application is submitted. The school has not got it.",
        look="There is no error anywhere. Each application that is submitted is a breach a minute later, "
        "whose repair sends it again.",
        told="“An expectation is not met”, about four minutes after the first application. “E-mails are "
        "out of step” is held back: it has the same reason.",
        page=_BREACHES,
        served=True,
    ),
    Fault(
        name="slow-leak",
        title="A slow leak of memory",
        breaks="What was searched for is remembered for ever: each process of the site takes two megabytes "
        "more a minute, up to 48.",
        visitor="Nothing, yet.",
        look="The gauge “searches.remembered” climbs towards its limit of 64 MiB.",
        told="“Memory will run out”, after a quarter of an hour, when the trend is clear: it says when the "
        "limit is reached, and how sure that is.",
        page=("admin:qaprod_gaugepage_changelist", "", "Gauges"),
        served=True,
    ),
    Fault(
        name="dead-import",
        title="The import of vacancies fails",
        breaks="The feed of the schools refuses us. The import, which cron runs by night and the demo "
        "every minute, ends with an error that nobody reads.",
        visitor="Vacancies that are some hours old.",
        look="Nothing new. A log file on some machine has it.",
        told="“Import of vacancies”, after two to three minutes: no run has ended well since.",
        page=_ALERTS,
        served=True,
    ),
)

NAMES = tuple(fault.name for fault in FAULTS)


def switches() -> Switches:
    """Return the switches that all processes share."""
    global _switches
    if _switches is None or _switches.path != settings.CHAOS_FILE:
        _switches = Switches(settings.CHAOS_FILE)
    return _switches


def on(name: str) -> bool:
    """Return whether a fault is switched on."""
    return name in switches().on()


_switches: Switches | None = None
