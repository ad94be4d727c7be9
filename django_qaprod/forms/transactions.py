"""The transactions of a view, opened by us.

Django opens those of ``ATOMIC_REQUESTS`` outside of every decorator: there a dead database is an error page
before a decorator is asked, and an error that a decorator swallows leaves a broken transaction. So the view
says that it wants none, and gets the same ones, and one for its POSTs, in here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS, Error, IntegrityError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic, TransactionManagementError

from ..conf import events_alias
from .outage import comes_from, is_outage

if TYPE_CHECKING:
    from .options import ServeOptions

_DUMMY = "django.db.backends.dummy"
# libpq's PQTRANS_INERROR: what follows is refused, and COMMIT is a rollback that says nothing.
_IN_ERROR = 3


class EveryAlias(set[str]):
    """The ``_non_atomic_requests`` of a view whose transactions we open: it contains every alias.

    Its members are those that the host excludes, above us or below, by ``non_atomic_requests``.
    """

    def __contains__(self, alias: object) -> bool:
        return True

    def asked_for(self) -> list[str]:
        """Return the aliases of which the host wants the view to be atomic, the outermost first."""
        return [
            alias
            for alias, database in reversed(connections.settings.items())
            if database["ATOMIC_REQUESTS"] and not set.__contains__(self, alias)
        ]


@cache
def of_posts() -> tuple[str, ...]:
    """Return the aliases on which a POST is atomic whatever ``ATOMIC_REQUESTS`` says."""
    aliases = dict.fromkeys((events_alias(), DEFAULT_DB_ALIAS))
    return tuple(
        alias for alias in aliases if django_settings.DATABASES.get(alias, {}).get("ENGINE") != _DUMMY
    )


def is_shared(options: ServeOptions, *, is_async: bool) -> bool:
    """Whether a POST's work and what becomes of its submission are stored by one COMMIT.

    The work is taken to be in the default database; submissions may have one of their own.
    """
    return options.atomic and not is_async and events_alias() == DEFAULT_DB_ALIAS


class Transactions:
    """The transactions around one call of a view."""

    __slots__ = ("_committed", "_open", "hook_error", "in_doubt")

    def __init__(self) -> None:
        self._open: list[_One] = []
        self._committed = False
        #: Whether the work may have been committed although an error was raised.
        self.in_doubt = False
        #: What an ``on_commit`` callback raised. The work was committed then.
        self.hook_error: Exception | None = None

    def open(self, wanted: Sequence[str], ours: Sequence[str]) -> None:
        """Open a transaction on each alias, or a savepoint where there is one.

        The first is committed last: that of the submissions, which are given up only if the work is done.
        """
        if not wanted and len(ours) < 2:
            # Nearly always; what follows is for those who have more.
            aliases: Iterable[str] = ours
        else:
            aliases, submissions = dict.fromkeys((*wanted, *ours)), events_alias()
            if submissions in aliases:
                aliases = dict.fromkeys((submissions, *aliases))
        for alias in aliases:
            self._open.append(_One(alias, wanted=alias in wanted))

    def commit(self, *, strictly: bool) -> None:
        """End them well. What is raised says that the work was not committed, or that it is ``in_doubt``.

        ``strictly``: work that the database has thrown away already is an error.
        """
        while self._open:
            one = self._open[-1]
            if strictly and one.outermost:
                one.check()
            self._commit(self._open.pop())

    def roll_back(self, error: BaseException) -> None:
        """Take the work back."""
        outage = is_outage(error)
        while self._open:
            self._open.pop().roll_back(error, outage=outage)

    def let_pass(self, error: Exception) -> None:
        """Leave things as they would be without us, for an exception that goes on to Django."""
        while self._open:
            one = self._open.pop()
            if one.wanted or isinstance(error, Error):
                one.roll_back(error, outage=is_outage(error))
            else:
                self._commit(one)

    def abandon(self) -> None:
        """Take back what is still open: the call was ended by an exit or an interrupt."""
        if self._open:
            self.roll_back(sys.exc_info()[1] or SystemExit())

    def _commit(self, one: _One) -> None:
        try:
            one.commit()
        except Exception as error:
            if not one.reached:
                self.in_doubt = self._committed or one.may_be_committed(error)
                one.drop(error)
                raise
            self.hook_error = error
        self._committed = self._committed or one.outermost


class _One:
    """One transaction, or a savepoint within somebody else's."""

    __slots__ = ("_atomic", "_connection", "_raw", "outermost", "reached", "wanted")

    def __init__(self, alias: str, *, wanted: bool) -> None:
        self.wanted = wanted
        #: Whether COMMIT went well and callbacks have begun.
        self.reached = False
        self._connection: BaseDatabaseWrapper = connections[alias]
        self.outermost = not self._connection.in_atomic_block
        self._atomic = Atomic(using=alias, savepoint=True, durable=False)
        self._atomic.__enter__()
        self._raw: Any = self._connection.connection

    def commit(self) -> None:
        callbacks = self._connection.run_on_commit
        if self.outermost and callbacks:
            self._connection.on_commit(self._reach)
            # The first, so that no callback of the host's that raises comes before.
            callbacks.sort(key=lambda callback: callback[1] != self._reach)
        self._atomic.__exit__(None, None, None)

    def _reach(self) -> None:
        self.reached = True

    def check(self) -> None:
        """Raise if the work is lost although nobody said so, because the view swallowed the error."""
        if self._connection.closed_in_transaction:
            raise TransactionManagementError("The connection was closed within the view's transaction.")
        if self._connection.needs_rollback:
            # The host asked for it.
            return
        if self._connection.vendor == "postgresql" and self._raw.info.transaction_status == _IN_ERROR:
            raise TransactionManagementError(
                "A database error was swallowed outside of atomic(), so nothing can be committed."
            )

    def may_be_committed(self, error: Exception) -> bool:
        """Whether COMMIT was sent and nobody knows what became of it.

        Django rolls back after a COMMIT that failed; it drops the connection on which it cannot.
        """
        if not self.outermost or isinstance(error, IntegrityError):
            return False
        return comes_from(error, InterfaceError) or self._connection.connection is not self._raw

    def drop(self, error: Exception) -> None:
        """Leave no transaction half open where Django could not roll back."""
        if self.outermost and comes_from(error, InterfaceError):
            with suppress(Error):
                self._connection.close()

    def roll_back(self, error: BaseException, *, outage: bool) -> None:
        try:
            if outage and self.outermost:
                # Else Django would connect anew when it cannot roll back: another timeout.
                self._connection.close()
            self._atomic.__exit__(type(error), error, error.__traceback__)
        except Exception:  # noqa: BLE001, S110 - the connection is gone, and the first error is being handled
            pass


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in {"QAPROD", "DATABASES"}:
        of_posts.cache_clear()


setting_changed.connect(_forget, dispatch_uid="qaprod.transactions")
