"""Events out of records, as Sentry's protocol has them.

https://develop.sentry.dev/sdk/data-model/event-payloads/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ...options import Sentry
from ...records import NAMED, SENTRY_EVENT, ChainLink, FailureRecord, LogLine
from ...text import one_line

#: Where a log record's failure has the name of its logger.
LOGGER: Final = "logger"
#: Where an event says how many alike were left out since the one before.
LEFT_OUT: Final = "qaprod.left_out"

_MAX_TAG: Final = 200

_LEVELS: Final = {"critical": "fatal", "error": "error", "warning": "warning", "info": "info"}
_SOURCES: Final = {"cause": "__cause__", "context": "__context__"}

Data = dict[str, Any]


def is_of_host(record: FailureRecord) -> bool:
    """Whether a client of the host's had the failure, and what becomes of it there is the host's affair."""
    return SENTRY_EVENT in record.extra


def is_log(record: FailureRecord) -> bool:
    """Whether a failure is a log record, with or without an exception."""
    return record.kind == "logged" and LOGGER in record.extra


def is_handled(record: FailureRecord) -> bool:
    """Whether somebody caught the error: nothing ended by it."""
    return record.kind in {"degraded", "logged"}


def event_of(record: FailureRecord, chosen: Sentry) -> Data:
    """Return everything that a record tells."""
    event = {**particulars(record, chosen), **told(record)}
    contexts: Data = event["contexts"]
    if record.trace_id and record.span_id:
        contexts["trace"] = {"trace_id": record.trace_id, "span_id": record.span_id}
    if record.browser:
        contexts["browser"] = {"name": record.browser}
    more = {
        "transaction": record.route or record.name,
        "release": record.release,
        "server_name": record.host,
        "user": {"id": record.user} if record.user else {},
        "breadcrumbs": breadcrumbs(record),
    }
    return {**event, **{key: value for key, value in more.items() if value}}


def particulars(record: FailureRecord, chosen: Sentry) -> Data:
    """Return what an event has of its record, whoever writes out the exception."""
    event: Data = {
        "event_id": record.id,
        "timestamp": record.at,
        "level": _LEVELS[record.severity],
        "tags": {**_clean_tags(chosen.tags), **tags_of(record)},
        "contexts": {"qaprod": _context(record)},
        "extra": {key: value for key, value in record.extra.items() if key != SENTRY_EVENT},
    }
    if record.kind in NAMED:
        event["transaction"] = record.name
    if chosen.fingerprint:
        event["fingerprint"] = [record.fingerprint]
    elif record.kind == "gauge":
        # Errors of ours, such as that its time was up, come from the same place for all gauges.
        event["fingerprint"] = ["{{ default }}", record.name]
    return event


def breadcrumbs(record: FailureRecord) -> Data:
    """Return the log lines around a failure, nothing where there are none."""
    return {"values": [_breadcrumb(line) for line in record.lines]} if record.lines else {}


def told(record: FailureRecord) -> Data:
    """Return the exceptions of a record, or the words of a log record that had none."""
    if is_log(record) and record.error_type == record.extra[LOGGER]:
        event: Data = {"logger": record.error_type, "logentry": {"formatted": record.message}}
        frames = _stacks(record)[0]
        if frames:
            event["threads"] = {"values": [{"current": True, "stacktrace": {"frames": frames}}]}
        return event
    event = {"exception": {"values": list(_exceptions(record))}}
    if is_log(record):
        event["logger"] = record.extra[LOGGER]
    return event


def tags_of(record: FailureRecord) -> dict[str, str]:
    """Return the tags by which a failure is found."""
    degraded = record.kind == "degraded"
    return tags(
        {
            "qaprod.failure": record.fingerprint,
            "qaprod.kind": record.kind,
            record.kind: record.name if record.kind in NAMED else "",
            "journey": record.journey,
            "step": record.extra.get("step", ""),
            "route": record.route,
            "request_id": record.request_id,
            "degraded": "true" if degraded else "",
            # What ``serve_form`` says when it has kept what was sent.
            "rescued": "true" if degraded and record.extra.get("served") == "received" else "",
        }
    )


def tags(given: dict[str, Any]) -> dict[str, str]:
    """Return those tags that say something, as Sentry takes them: one line of 200 characters at most."""
    return {key: one_line(str(value), _MAX_TAG) for key, value in given.items() if value}


def _clean_tags(given: Any) -> dict[str, str]:
    return tags({str(key): value for key, value in given.items()})


def _context(record: FailureRecord) -> Data:
    known: Data = {
        "failure": record.fingerprint,
        "name": record.name,
        "culprit": record.culprit,
        "served": record.served,
        "method": record.method,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "span_id": record.span_id,
    }
    return {key: value for key, value in known.items() if value != ""}


def _exceptions(record: FailureRecord) -> Iterator[Data]:
    """Yield the exceptions, the one that was raised last at the end, as Sentry has them."""
    stacks, origins = _stacks(record), _origins(record.chain)
    for number in reversed(range(len(record.chain))):
        link = record.chain[number]
        module, _, name = link.error_type.rpartition(".")
        exception: Data = {
            "type": name,
            "value": "\n".join((link.message, *link.notes)),
            "mechanism": {
                "type": "chained" if number else "qaprod",
                "handled": is_handled(record),
                "exception_id": number,
                **origins[number],
            },
        }
        if module:
            exception["module"] = module
        if stacks[number]:
            exception["stacktrace"] = {"frames": stacks[number]}
        yield exception


def _origins(chain: Sequence[ChainLink]) -> list[Data]:
    """Return for each exception what says where in the chain it stands.

    A cause stands right behind what it caused. What is in a group stands somewhere behind it.
    """
    origins: list[Data] = []
    group = members = 0
    for number, link in enumerate(chain):
        origin: Data = {}
        if link.relation == "group":
            origin = {"parent_id": group, "source": f"exceptions[{members}]"}
            origins[group]["is_exception_group"] = True
            members += 1
        elif link.relation:
            origin = {"parent_id": number - 1, "source": _SOURCES[link.relation]}
        if link.error_type.endswith("ExceptionGroup"):
            group, members = number, 0
        origins.append(origin)
    return origins


def _stacks(record: FailureRecord) -> list[list[Data]]:
    """Return the frames of each link; none for what is missing."""
    stacks = [[_frame(frame) for frame in frames] for frames in json.loads(record.frames)]
    return stacks + [[]] * (max(len(record.chain), 1) - len(stacks))


def _frame(frame: Data) -> Data:
    known = {
        "filename": frame["file"],
        "function": frame["function"],
        "module": frame["module"],
        "lineno": frame["line"],
        "in_app": frame["in_app"],
        "pre_context": frame["before"],
        "context_line": frame["code"],
        "post_context": frame["after"],
    }
    # The place where frames were left out has neither file nor line.
    return {key: value for key, value in known.items() if value or key == "in_app"}


def _breadcrumb(line: LogLine) -> Data:
    level = line.level.lower()
    return {
        "type": "log",
        "timestamp": line.at,
        "level": "fatal" if level == "critical" else level,
        "category": line.logger,
        "message": line.message,
    }
