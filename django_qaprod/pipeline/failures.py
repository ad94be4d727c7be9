"""From an error that happened to the record of it.

Each error is recorded once: the exception object is marked with the record's id and the request in which it
was seen, on itself, so that the mark also survives pickling. The same object raised again while something
else is served (a module's only instance of an error, say) is another error. So is a new exception that was
raised from a marked one: it is what the visitor met, and has the first as its cause. A group is new unless
all its members were recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import time
from typing import TYPE_CHECKING, Any, Final, cast

from .. import context
from ..conf import reraising
from ..records import ChainLink, FailureKind, FailureRecord, Severity, new_id
from ..registry import SEVERITIES
from ..text import JSONValue, clean
from . import fingerprint as fingerprints
from . import frames, messages, process, scrub
from .guard import caught, guard
from .surroundings import is_replay, named, path_of, surroundings, without_path

if TYPE_CHECKING:
    from ..context import Context

#: The exception attribute by which a host chooses the group, as ``fingerprint=`` does.
FINGERPRINT_ATTRIBUTE: Final = "qaprod_fingerprint"

# What is not ASCII takes six characters in a segment, and a record has to fit into ``spool.MAX_RECORD``.
_MAX_NOTE: Final = 300
_MAX_EXTRA_CHARACTERS: Final = 5_000

# Of groups within groups.
_MAX_NESTING: Final = 10

_MARK: Final = "_qaprod_recorded"


def report(
    error: BaseException, *, name: str = "", severity: Severity = "error", fingerprint: str | None = None
) -> str | None:
    """Record an error that you have handled yourself.

    Returns the record's id, ``None`` when the error was recorded before or nothing is recorded here (the
    host's test run). ``fingerprint`` puts it into a group of your own, whatever its type.

    Never raises in production; in development a ``TypeError`` for what is no exception.
    """
    given: object = error
    if not isinstance(given, BaseException):
        refused = TypeError(f"report() takes an exception, not {type(given).__name__}.")
        if reraising():
            raise refused
        caught("report", refused)
        return None
    return report_exception(error, kind="logged", severity=severity, name=name, fingerprint=fingerprint)


def report_exception(
    error: BaseException,
    *,
    kind: FailureKind,
    severity: Severity | None = None,
    name: str = "",
    journey: str = "",
    served: bool = False,
    fingerprint: str | None = None,
    extra: dict[str, Any] | None = None,
) -> str | None:
    """Record an error once; return the record's id, ``None`` when nothing was recorded. Never raises."""
    with guard("failures"):
        record = prepare(
            error,
            kind=kind,
            severity=severity,
            name=name,
            journey=journey,
            served=served,
            fingerprint=fingerprint,
            extra=extra,
        )
        if record is not None:
            process.submit_failure(record, error)
            return record.id
    return None


def prepare(
    error: BaseException,
    *,
    kind: FailureKind,
    severity: Severity | None = None,
    name: str = "",
    journey: str = "",
    served: bool = False,
    fingerprint: str | None = None,
    extra: dict[str, Any] | None = None,
) -> FailureRecord | None:
    """Return the record of an error for ``process.submit_failure``, ``None`` when it is not to be recorded.

    For those who learn only later what the visitor was served; the error counts as recorded from here on.
    """
    if not process.recording():
        return None
    current = context.current()
    request_id = current.request_id if current is not None else ""
    if was_recorded(error, request_id):
        return None
    at = time()
    record_id = new_id(at)
    mark(error, record_id, request_id)
    if kind == "unhandled" and is_replay(current):
        kind = "replay"
    record = _of_exception(
        error,
        current,
        record_id=record_id,
        at=at,
        kind=kind,
        severity=severity,
        name=name,
        journey=journey,
        served=served,
        chosen=fingerprint,
        extra=extra,
    )
    mark(error, record_id, request_id, record.fingerprint)
    return record


def report_log(record: logging.LogRecord) -> str | None:
    """Record a log record that tells of an error without an exception. Never raises."""
    with guard("failures"):
        if not process.recording():
            return None
        failure = _of_log(record, context.current())
        process.submit_failure(failure)
        return failure.id
    return None


def report_words(
    *, kind: FailureKind, error_type: str, message: str, traceback: str = "", name: str = ""
) -> str | None:
    """Record an error of which only words are left: another process had the exception. Never raises."""
    with guard("failures"):
        if not process.recording():
            return None
        at, stack = time(), frames.parse(traceback)
        words = scrub.text(message)
        record = FailureRecord(
            id=new_id(at),
            at=at,
            kind=kind,
            severity="error",
            fingerprint=fingerprints.of(kind, (error_type,), stack.where, words),
            error_type=clean(error_type, 200),
            message=words,
            chain=(ChainLink(error_type=clean(error_type, 200), message=words),),
            stack=stack.digest,
            frames=stack.frames,
            culprit=stack.culprit,
            name=clean(name, 200),
            **surroundings(context.current()),
        )
        process.submit_failure(record)
        return record.id
    return None


def mark(error: BaseException, record_id: str, request_id: str, fingerprint: str = "") -> None:
    """Remember on the exception that it was recorded."""
    # Not ``setattr``: an exception that is a frozen dataclass refuses that, and has a ``__dict__`` anyway.
    error.__dict__[_MARK] = (record_id, request_id, fingerprint)


def link_of(error: BaseException) -> tuple[str, str]:
    """Return the id and the fingerprint of an error's record, nothing where it has none."""
    record_id, _, fingerprint = error.__dict__.get(_MARK, ("", "", ""))
    return record_id, fingerprint


def was_recorded(error: BaseException, request_id: str, depth: int = _MAX_NESTING) -> bool:
    """Whether the exception was recorded while the same thing was served, or outside of anything."""
    known = error.__dict__.get(_MARK)
    if known is not None:
        return not request_id or not known[1] or known[1] == request_id
    if isinstance(error, BaseExceptionGroup) and depth:
        return all(was_recorded(member, request_id, depth - 1) for member in error.exceptions)
    return False


def type_name(error_type: type[BaseException]) -> str:
    """Return the name of an error's type, with its module unless it is Python's own."""
    module = error_type.__module__
    name = error_type.__qualname__
    return clean(name if module == "builtins" else f"{module}.{name}", 200)


def _of_exception(
    error: BaseException,
    current: Context | None,
    *,
    record_id: str,
    at: float,
    kind: FailureKind,
    severity: Severity | None,
    name: str,
    journey: str,
    served: bool,
    chosen: str | None,
    extra: dict[str, Any] | None,
) -> FailureRecord:
    links = frames.chain(error)
    stack = frames.stack(links)
    path = path_of(current)
    chain = described(links, lambda words: without_path(words, path, current))
    more = _extra(extra) if extra else {}
    template = frames.template_place(error) if stack.through_template else None
    if template is not None:
        more = {**more, "template": clean(template[0], 300), "template_line": template[1]}
    return FailureRecord(
        id=record_id,
        at=at,
        kind=kind,
        severity=_severity(severity, current, served=served),
        fingerprint=_fingerprint(error, _group(kind, current, name), chain, stack, template, chosen),
        error_type=chain[0].error_type,
        message=chain[0].message,
        chain=chain,
        stack=stack.digest,
        frames=stack.frames,
        culprit=stack.culprit,
        name=named(name, current),
        served=served,
        extra=more,
        **surroundings(current, journey),
    )


def _of_log(record: logging.LogRecord, current: Context | None) -> FailureRecord:
    stack = frames.stack_of_call(record.pathname, record.lineno)
    message = scrub.text(without_path(messages.of_log(record), path_of(current), current))
    place = f"{frames.short_path(record.pathname)}:{record.funcName}"
    default = fingerprints.of(
        _group("logged", current),
        (record.name,),
        (place, _route_of_response(record, current)),
        messages.template_of(record),
    )
    logger = clean(record.name, 200)
    return FailureRecord(
        id=new_id(record.created),
        at=record.created,
        kind="logged",
        severity=_severity("critical" if record.levelno >= logging.CRITICAL else "error", current),
        fingerprint=fingerprints.by_host(record, default),
        error_type=logger,
        message=message,
        chain=(ChainLink(error_type=logger, message=message),),
        stack=stack.digest if stack is not None else "",
        frames=stack.frames if stack is not None else "[]",
        culprit=stack.culprit if stack is not None else clean(place, 300),
        name=named("", current),
        extra={"logger": logger},
        **surroundings(current),
    )


def described(links: list[frames.Link], without: Callable[[str], str]) -> tuple[ChainLink, ...]:
    """Return what the exceptions of a chain say, scrubbed, once ``without`` has taken the path out."""
    notes_left = messages.MAX_NOTES
    chain = []
    for error, relation in links:
        notes = messages.notes_of(error)[:notes_left]
        notes_left -= len(notes)
        chain.append(
            ChainLink(
                error_type=type_name(type(error)),
                message=scrub.text(without(messages.of_exception(error))),
                notes=tuple([scrub.text(without(note), _MAX_NOTE) for note in notes]),
                relation=relation,
            )
        )
    return tuple(chain)


def _fingerprint(
    error: BaseException,
    kind: str,
    chain: Sequence[ChainLink],
    stack: frames.Stack,
    template: tuple[str, int] | None,
    chosen: str | None,
) -> str:
    chosen = (
        chosen
        or error.__dict__.get(FINGERPRINT_ATTRIBUTE)
        or getattr(type(error), FINGERPRINT_ATTRIBUTE, None)
    )
    if isinstance(chosen, str) and chosen:
        return fingerprints.chosen(chosen)
    # The members of a group vary in number and order; that is not what makes one failure differ from another.
    own, members = [], set()
    for link, where_of in zip(chain, stack.where, strict=True):
        if link.relation == "group":
            members.add((link.error_type, where_of))
        else:
            own.append((link.error_type, where_of))
    parts = [*own, *sorted(members)]
    where = [where for _, where in parts]
    if template is not None:
        where.append(template[0])
    default = fingerprints.of(kind, [kind_of for kind_of, _ in parts], where, chain[0].message)
    return fingerprints.by_host(error, default)


def _severity(given: Severity | None, current: Context | None, *, served: bool = False) -> Severity:
    if given is None:
        given = "critical" if current is not None and current.critical and not served else "error"
    # Whoever replays something sees how it ends, and no visitor waits.
    known = given in SEVERITIES and not (given == "critical" and is_replay(current))
    return given if known else "error"


def _group(kind: str, current: Context | None, name: str = "") -> str:
    """Return what tells groups of a kind apart.

    What replays meet is not what visitors meet, and gauges that share a function fail each for themselves.
    """
    if kind == "gauge":
        return f"gauge {name}"
    return f"replay {kind}" if is_replay(current) else kind


def _extra(given: dict[str, Any]) -> dict[str, JSONValue]:
    scrubbed = cast("dict[str, JSONValue]", scrub.json(given))
    return scrubbed if len(repr(scrubbed)) <= _MAX_EXTRA_CHARACTERS else {}


def _route_of_response(record: logging.LogRecord, current: Context | None) -> str:
    """Return what tells Django's log records of 5xx responses apart: they all come from one line of code."""
    if record.name != "django.request" or current is None or current.request is None:
        return ""
    arguments = record.args
    reason = arguments[0] if isinstance(arguments, tuple) and arguments else ""
    return f"{reason if isinstance(reason, str) else ''} {current.route}"
