"""How the host's client and we find each other, whichever of both starts first.

We look for it where we start, at the first request, before each flush and at each failure. It costs a look
at ``sys.modules``: the package is imported by the host or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.signals import got_request_exception, request_started

from ... import options
from ...pipeline import hooks
from ...pipeline.guard import guarded
from ...sinks.sentry import host
from . import capturing, processing

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

    from ...records import FailureRecord

#: Loggers whose records are never events: their errors are recorded where they happen.
OUR_LOGGERS = ("django_qaprod", "django_qaprod.*", "qaprod", "qaprod.*")

# The options of a client that are called last before something is sent.
_LAST = ("before_send", "before_send_transaction")


def install() -> None:
    """Watch for failures and for the client. May be called again."""
    if _witness not in hooks.failure_witnesses:
        hooks.failure_witnesses.append(_witness)
        hooks.before_flush.append(join)
    request_started.connect(_on_first_request, dispatch_uid="qaprod.sentry")
    got_request_exception.connect(_on_request_exception, dispatch_uid="qaprod.sentry")
    join()


@guarded("sentry")
def join() -> None:
    """If there is a client of the host's, let it and us know of each other. Costs nothing the next time."""
    client = host.client()
    if client is not None:
        _join(client)


def _join(client: BaseClient) -> None:
    from sentry_sdk.integrations.logging import ignore_logger
    from sentry_sdk.scope import add_global_event_processor, global_event_processors

    if processing.complete not in global_event_processors:
        add_global_event_processor(processing.complete)
        for name in OUR_LOGGERS:
            ignore_logger(name)
    before = client.options.get("before_breadcrumb")
    if not isinstance(before, processing.WithoutOurs):
        client.options["before_breadcrumb"] = processing.WithoutOurs(before)
    chosen = options.of(options.Sentry)
    if chosen is not None and chosen.scrub:
        for name in _LAST:
            _scrub_last(client, name)


def _scrub_last(client: BaseClient, name: str) -> None:
    """Have the scrubber look at what a client sends, after what the host has there already."""
    before = client.options.get(name)
    if not isinstance(before, processing.ScrubLast):
        client.options[name] = processing.ScrubLast(before)


def _witness(record: FailureRecord, error: BaseException | None) -> FailureRecord:
    join()
    return capturing.captured(record, error, host.client())


def _on_first_request(**kwargs: Any) -> None:
    # A client that is started in ``wsgi.py`` or after a fork is there by now.
    request_started.disconnect(dispatch_uid="qaprod.sentry")
    join()


@guarded("sentry")
def _on_request_exception(**kwargs: Any) -> None:
    processing.submit_held()
