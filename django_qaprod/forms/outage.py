"""A database that does not answer: told from other errors, and not asked again.

Whoever waited for a timeout once gets a form; the form must not wait for it another time.
"""

from __future__ import annotations

from typing import Any, Never

from django.db import InterfaceError, OperationalError, connections

_DOORS = (
    "connect",
    "ensure_connection",
    "cursor",
    "chunked_cursor",
    "temporary_connection",
    "set_autocommit",
)


class NotAskedError(OperationalError):
    """The database is not asked, because it did not answer before."""


def is_outage(error: BaseException) -> bool:
    """Whether an operational error of a database is among what the error came from."""
    return comes_from(error, OperationalError, InterfaceError)


def comes_from(error: BaseException, *types: type[BaseException]) -> bool:
    """Whether an error of these types is the error, or among its causes, contexts and members."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        link = left.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        if isinstance(link, types):
            return True
        left += (link.__cause__, link.__context__)
        if isinstance(link, BaseExceptionGroup):
            left += link.exceptions
    return False


def is_refusal(error: BaseException) -> bool:
    """Whether it was raised because we do not ask the database."""
    return isinstance(error, NotAskedError) or isinstance(error.__cause__, NotAskedError)


class Refusal:
    """Makes every connection of this thread refuse at once, until it is lifted."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def refuse(self) -> None:
        """Refuse from now on."""
        if self._before:
            return
        for connection in connections.all():
            attributes = vars(connection)
            before = {door: attributes[door] for door in _DOORS if door in attributes}
            self._before.append((attributes, before))
            attributes.update(dict.fromkeys(_DOORS, _refuse))

    def lift(self) -> None:
        """Let the connections answer again."""
        while self._before:
            attributes, before = self._before.pop()
            for door in _DOORS:
                attributes.pop(door, None)
            attributes.update(before)


def _refuse(*args: Any, **kwargs: Any) -> Never:
    raise NotAskedError("The database did not answer before, so it is not asked.")
