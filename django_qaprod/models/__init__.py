"""The tables: business facts (events) and telemetry (all the rest), with no foreign key between the two."""

from .alerts import Alert, Rule, Silence
from .bookkeeping import Cursor, Health, JobRun, Lease
from .deploys import Deploy
from .events import Event, EventKey
from .expectations import Breach
from .failures import Affected, Failure, Occurrence, Stack
from .numbers import Bucket, Series
from .outbox import Channel, Notification
from .pages import GaugePage, JourneyPage, RequestPage
from .submissions import RescuedSubmission, SubmissionAct, SubmissionVersion
from .transitions import Transition

__all__ = [
    "Affected",
    "Alert",
    "Breach",
    "Bucket",
    "Channel",
    "Cursor",
    "Deploy",
    "Event",
    "EventKey",
    "Failure",
    "GaugePage",
    "Health",
    "JobRun",
    "JourneyPage",
    "Lease",
    "Notification",
    "Occurrence",
    "RequestPage",
    "RescuedSubmission",
    "Rule",
    "Series",
    "Silence",
    "Stack",
    "SubmissionAct",
    "SubmissionVersion",
    "Transition",
]
