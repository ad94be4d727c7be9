"""What an exception carries of its event: one error is one event, whoever made it, and in whatever order."""

from __future__ import annotations

from typing import Final, NamedTuple

from ... import context

_MARK: Final = "_qaprod_sentry"


class Mark(NamedTuple):
    """The id of an exception's event, and whether we made it."""

    event_id: str
    ours: bool
    request_id: str


def set_mark(error: BaseException, event_id: str, *, ours: bool) -> None:
    """Remember the event of an exception."""
    error.__dict__[_MARK] = Mark(event_id, ours, _request_id())


def mark_of(error: BaseException) -> Mark | None:
    """Return what is known of an exception's event.

    Nothing if it was made while something else was served: the same object raised again is another error.
    """
    mark: Mark | None = error.__dict__.get(_MARK)
    if mark is None:
        return None
    now = _request_id()
    return mark if not now or not mark.request_id or now == mark.request_id else None


def _request_id() -> str:
    current = context.current()
    return current.request_id if current is not None else ""
