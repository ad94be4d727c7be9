"""Rows to look at, and people who look."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission, User

from django_qaprod import clock, histogram, metrics
from django_qaprod.models import (
    Affected,
    Alert,
    Breach,
    Bucket,
    Channel,
    Cursor,
    Deploy,
    Event,
    Failure,
    Health,
    JobRun,
    Lease,
    Notification,
    Occurrence,
    RescuedSubmission,
    Rule,
    Series,
    Silence,
    Stack,
    SubmissionAct,
    SubmissionVersion,
    Transition,
)
from django_qaprod.records import new_id
from django_qaprod.registry import JourneySpec, StepSpec
from django_qaprod.sent import SentFile, Submission
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store.submissions import NewSubmission
from tests.forms import kept

#: Markup, a right-to-left override, a formula, an escape sequence, an emoji of two, half a format string.
HOSTILE = (
    "<script>alert(1)</script>\u202egpj.exe\u202c=cmd|'x'!A0\x1b[31m\U0001f468\u200d\U0001f4bb%s{{x}}\"'"
)

JOURNEY = JourneySpec(
    name="JobApplication",
    title="Job application",
    module=__name__,
    steps=(StepSpec(name="started", title="Started"), StepSpec(name="submitted", title="Submitted")),
    variant="form_type",
)
FRAME = {
    "file": "jobs/views.py",
    "line": 12,
    "function": "apply",
    "module": "jobs.views",
    "in_app": True,
    "before": ["def apply(request):"],
    "code": "    return profile[key]",
    "after": [""],
}
LIBRARY_FRAME = {**FRAME, "file": "django/core/handlers/base.py", "module": "django.core", "in_app": False}


def user(name: str, *permissions: str, **fields: Any) -> User:
    found = Permission.objects.filter(content_type__app_label="qaprod", codename__in=permissions)
    assert len(found) == len(permissions)
    person = User.objects.create_user(name, is_staff=fields.pop("is_staff", True), **fields)
    person.user_permissions.set(found)
    return person


def failure(number: int = 1, **fields: Any) -> Failure:
    now = clock.now()
    values: dict[str, Any] = {
        "fingerprint": f"v1:{number}",
        "kind": "unhandled",
        "error_type": "KeyError",
        "message": f"'school {number}'",
        "culprit": "jobs.views.apply",
        "count": 40,
        "people": 12,
        "first_seen": now - timedelta(days=3),
        "last_seen": now - timedelta(minutes=5),
        "priority": 72.5,
        "priority_parts": {"kind": 30.0, "severity": 10.0, "people": 14.8, "rate": 0.0, "recency": 15.0},
    }
    return Failure.objects.create(**{**values, **fields})


def occurrence(of: Failure, **fields: Any) -> Occurrence:
    Stack.objects.get_or_create(
        digest="d1", defaults={"frames": json.dumps([[LIBRARY_FRAME, FRAME]]), "last_used": clock.now()}
    )
    values: dict[str, Any] = {
        "id": new_id(),
        "failure": of,
        "at": clock.now() - timedelta(minutes=5),
        "severity": "error",
        "message": of.message,
        "chain": [{"error_type": of.error_type, "message": of.message, "notes": ["a note"], "relation": ""}],
        "stack": "d1",
        "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "lines": [
            {"at": clock.epoch(clock.now()), "level": "INFO", "logger": "jobs", "message": "form opened"}
        ],
        "rank": 1,
    }
    return Occurrence.objects.create(**{**values, **fields})


def affected(of: Failure, key: str, *, served: bool = True, who: str = "subject") -> Affected:
    return Affected.objects.create(
        failure=of, who=who, journey=JOURNEY.name, key=key, served=served, at=clock.now()
    )


def event(step: str = "started", subject: str = "jobs.application:1", **fields: Any) -> Event:
    values: dict[str, Any] = {
        "id": uuid.UUID(new_id()),
        "at": clock.now() - timedelta(hours=2),
        "journey": JOURNEY.name,
        "step": step,
        "subject": subject,
        "variant": "short",
        "browser": "Firefox",
    }
    return Event.objects.create(**{**values, **fields})


def requests(route: str, count: int = 10, *, outcome: str = "ok", status: str = "200") -> Bucket:
    attributes = {
        "http.request.method": "GET",
        "http.route": route,
        "http.response.status_code": status,
        "qaprod.outcome": outcome,
    }
    digest = f"{abs(hash((route, outcome, status))):x}"[:32]
    series = Series.objects.create(
        digest=digest, name="http.server.request.duration", label=route[:300], attributes=attributes
    )
    return Bucket.objects.create(
        series=series,
        resolution=0,
        start=clock.moment(clock.epoch(clock.now()) // 60 * 60 - 600),
        count=count,
        total=0.1 * count,
        minimum=0.1,
        maximum=0.1,
        histogram=histogram.encode({histogram.index(0.1): count}),
    )


def gauge(name: str, *values: float, label: str = "", unit: str = "", minutes_ago: int = 1) -> Bucket:
    series, _ = Series.objects.get_or_create(
        digest=f"{abs(hash((name, label))):x}"[:32],
        defaults={"name": name, "label": label, "attributes": {"label": label}, "gauge": True, "unit": unit},
    )
    return Bucket.objects.create(
        series=series,
        resolution=0,
        start=clock.moment(clock.epoch(clock.now()) // 60 * 60 - 60 * minutes_ago),
        count=len(values),
        total=sum(values),
        minimum=min(values),
        maximum=max(values),
    )


def reading(name: str, *, minutes_ago: int = 1, error: str = "") -> JobRun:
    """The worker has asked a declared gauge."""
    at = clock.now() - timedelta(minutes=minutes_ago)
    ended = {"finished_at": at, "succeeded_at": None if error else at, "error": error}
    return JobRun.objects.create(name=f"gauge:{name}", started_at=at, **ended)


def alive(*, stored: timedelta = timedelta()) -> None:
    """A worker that works and a drainer that has just stored something."""
    now = clock.now()
    Lease.objects.create(name="worker", holder="web-1:1", expires_at=now + timedelta(hours=1))
    Cursor.objects.create(segment="s", position=1, updated_at=now - stored)


def one_of_each(text: str) -> Failure:
    """One row of everything that pages show, with ``text`` wherever telemetry can have text."""
    alive()
    made = failure(
        error_type=text[:200],
        message=text,
        culprit=text,
        name=text,
        journey=text,
        route=text,
        last_release=text,
    )
    frame = {**FRAME, "file": text, "function": text, "module": text, "code": text, "before": [text]}
    Stack.objects.create(digest="hostile", frames=json.dumps([[frame]]), last_used=clock.now())
    occurrence(
        made,
        stack="hostile",
        message=text,
        chain=[{"error_type": text, "message": text, "notes": [text], "relation": ""}],
        journey=text,
        subject=text,
        route=text,
        method=text[:16],
        request_id=text,
        trace_id=text[:32],
        user=text,
        browser=text[:40],
        release=text,
        host=text,
        lines=[{"at": 1.0, "level": text, "logger": text, "message": text}],
        extra={text: text},
    )
    Affected.objects.create(failure=made, who="user", journey=text, key=text, at=clock.now())
    Transition.objects.create(failure=made, at=clock.now(), who=text, before="open", after="open", why=text)
    Deploy.objects.create(release=text, at=clock.now(), note=text)
    event(
        subject=text, variant=text, browser=text[:40], release=text, properties={text: text}, request_id=text
    )
    requests(text, outcome="server_error")
    gauge(text[:100], 1.0, label=text, unit=text[:40])
    gauge(metrics.MEMORY, 1e8, label=text, unit="By")
    reading(text[:100], error=text)
    failure(2, kind="gauge", name=text[:100], message=text, priority=1)
    breach(
        text, expectation=text[:150], journey=text[:100], step=text[:100], request_id=text, state="dismissed",
        closed_at=clock.now(), who=text, why=text,
        tried=[{"at": 1.0, "who": text, "words": text, "failed": True, "dry_run": True}],
    )  # fmt: skip
    Health.objects.create(host=text, part=text, errors=1, dropped=1, last_error=text, at=clock.now())
    JobRun.objects.create(name=text, started_at=clock.now(), error=text)
    return made


def breach(subject: str = "7", **fields: Any) -> Breach:
    """A breach that is an hour overdue."""
    at = clock.now()
    values: dict[str, Any] = {
        "expectation": "reaches the school",
        "kind": "missing",
        "journey": "JobApplication",
        "step": "submitted",
        "subject": subject,
        "event": uuid.uuid4(),
        "at": at - timedelta(hours=2),
        "due_at": at - timedelta(hours=1),
        "found_at": at,
    }
    return Breach.objects.create(**values | fields)


def rule(name: str = "orders fail", **fields: Any) -> RuleSpec:
    """A threshold of failures, as it is declared; it is not registered."""
    values: dict[str, Any] = {
        "name": name,
        "kind": "threshold",
        "of": Measure(kind="failures", journey=JOURNEY.name),
        "numbers": {"at_least": 3.0, "window": 300.0, "for": 0.0, "keep_firing": 600.0},
        "journey": JOURNEY.name,
    }
    return RuleSpec(**values | fields)


def judged(name: str = "orders fail", **fields: Any) -> Rule:
    """What is known of a rule that was looked at just now, and is fine."""
    now = clock.now()
    verdict = {"key": "", "wrong": False, "value": 1.0, "limit": 3.0, "words": "1 in 5 min", "usual": ""}
    values: dict[str, Any] = {"judged_at": now, "well_at": now, "verdicts": [verdict]}
    return Rule.objects.create(name=name, **values | fields)


def alert(name: str = "orders fail", **fields: Any) -> Alert:
    """An alert that fires for ten minutes."""
    at = clock.now() - timedelta(minutes=10)
    values: dict[str, Any] = {
        "kind": "threshold",
        "severity": "error",
        "rank": 1,
        "journey": JOURNEY.name,
        "state": "firing",
        "began_at": at,
        "wrong_at": clock.now(),
        "fired_at": at,
        "value": 14.0,
        "limit": 3.0,
        "words": "14 in 5 min",
        "usual": "the limit is 3",
    }
    return Alert.objects.create(rule=name, **values | fields)


def silence(**fields: Any) -> Silence:
    """An hour of quiet that has begun."""
    now = clock.now()
    values: dict[str, Any] = {"begins_at": now, "until": now + timedelta(hours=1), "made_at": now}
    return Silence.objects.create(**{**values, "who": "ada", "why": "on it", **fields})


def notification(of: Alert, **fields: Any) -> Notification:
    """A message that was sent."""
    now = clock.now()
    values: dict[str, Any] = {"lane": "mail", "kind": "firing", "state": "sent"}
    values |= {"made_at": now, "due_at": now}
    return Notification.objects.create(alert=of, **{**values, "sent_at": now, "tries": 1, **fields})


def channel(name: str = "mail", **fields: Any) -> Channel:
    """How a channel does that has just sent something."""
    return Channel.objects.create(name=name, **{"sent_at": clock.now(), **fields})


def hostile_alert(text: str) -> Alert:
    """An alert with ``text`` wherever it, its rule and all that is about them can have text.

    A rule of nearly the same name cannot be judged.
    """
    made = alert(
        text[:150],
        key=text,
        journey=text[:100],
        words=text,
        usual=text,
        acknowledged_by=text[:150],
        acknowledged_at=clock.now(),
        flapping=True,
        useful=False,
    )
    verdict = {"key": text, "wrong": True, "value": 1.0, "limit": 2.0, "words": text, "usual": text}
    said = {"value": text, "who": text, "at": text}
    override = {"numbers.at_least": {**said, "value": 5.0}, "severity": said, "to": {**said, "value": [text]}}
    judged(text[:150], verdicts=[verdict, verdict], override=override)
    judged(f"!{text}"[:150], error=text, silent=text)
    Transition.objects.create(
        alert=made, at=clock.now(), who=text[:150], before="firing", after="firing", why=text
    )
    silence(rule=text[:150], key=text, journey=text[:100], who=text[:150], why=text, ended_by=text[:150])
    notification(made, lane=text[:100], held=text, subject=text, via=text[:100], error=text)
    channel(text[:100], error=text, failures=1, failed_at=clock.now())
    return made


def submission(key: str = "k", *, sent: Submission | None = None, **fields: Any) -> RescuedSubmission:
    """A rescued submission that waits. ``days`` is how long ago it was sent."""
    at = time.time() - 86400 * fields.pop("days", 0)
    names = {field.name for field in dataclasses.fields(NewSubmission)}
    new = {name: fields.pop(name) for name in names & set(fields)}
    found = RescuedSubmission.objects.get(pk=kept.stored(key, at=at, submission=sent, **new))
    if fields:
        RescuedSubmission.objects.filter(pk=found.pk).update(**fields)
    found.refresh_from_db()
    return found


def act(of: RescuedSubmission, act: str = "replayed", **fields: Any) -> SubmissionAct:
    values: dict[str, Any] = {"at": clock.now(), "who": "boss", "version": of.version}
    return SubmissionAct.objects.create(submission=of, act=act, **{**values, **fields})


def hostile_submission(text: str) -> RescuedSubmission:
    """A submission with ``text`` wherever it can have text; needs a key."""
    sent = kept.sent(
        path=text,
        host=text,
        locale=text,
        user=text,
        fields=((text, text), ("letter", f"{text}\n{text}")),
        files=(SentFile(field=text, name=text, content_type=text, content=b"<script>"),),
        session={text: text},
        free_text=(text,),
        withheld=(text, f"other{text}"),
    )
    names = ("name", "journey", "subject", "route", "user", "request_id", "release")
    made = submission("hostile", sent=sent, **dict.fromkeys(names, text[:100]), failure=text[:64])
    act(made, who=text[:150], why=text, outcome="failed", status=500, failure=text[:64], attempt=1)
    act(made, "queued", who=text[:150])
    SubmissionVersion.objects.filter(submission=made).update(by=text[:150])
    return made
