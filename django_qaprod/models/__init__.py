"""The tables: business facts (events) and telemetry (all the rest), with no foreign key between the two."""

from .bookkeeping import Cursor, Health, JobRun, Lease
from .deploys import Deploy
from .events import Event, EventKey
from .expectations import Breach
from .failures import Affected, Failure, Occurrence, Stack, Transition
from .numbers import Bucket, Series
from .pages import GaugePage, JourneyPage, RequestPage
from .submissions import RescuedSubmission, SubmissionAct, SubmissionVersion

__all__ = [
    "Affected",
    "Breach",
    "Bucket",
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
    "Occurrence",
    "RequestPage",
    "RescuedSubmission",
    "Series",
    "Stack",
    "SubmissionAct",
    "SubmissionVersion",
    "Transition",
]
