from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from django.core.signals import got_request_exception, request_started
from pytest_django import Settings
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.django import DjangoIntegration, _got_request_exception
from sentry_sdk.integrations.logging import _IGNORED_LOGGERS, LoggingIntegration
from sentry_sdk.scope import global_event_processors
from sentry_sdk.transport import Transport

from django_qaprod.capture import signals
from django_qaprod.contrib import sentry
from django_qaprod.contrib.sentry import capturing, joining, processing
from django_qaprod.pipeline import hooks
from django_qaprod.sinks.sentry.flood import Flood
from tests.recorded import records as records
from tests.recorded import served as served


class Kept(Transport):
    """A transport that keeps events and transactions, as they would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.transactions: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        if event is not None:
            self.events.append(dict(event))
        transaction = envelope.get_transaction_event()
        if transaction is not None:
            self.transactions.append(dict(transaction))


Start = Callable[..., Kept]


@pytest.fixture
def start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a client as a host does, and what we do at start-up when ``QAPROD["SENTRY"]`` is set."""
    settings.QAPROD = {"SENTRY": {}, "RERAISE": False}
    monkeypatch.setattr(capturing, "_flood", Flood())

    def start_client(*, install: bool = True, **given: Any) -> Kept:
        kept = Kept()
        options: dict[str, Any] = {
            "dsn": "https://key@sentry.example/1",
            "transport": kept,
            "default_integrations": False,
            "integrations": [DjangoIntegration(), LoggingIntegration(), DedupeIntegration()],
            "auto_enabling_integrations": False,
            "send_client_reports": False,
            **given,
        }
        sentry_sdk.init(**options)
        if install:
            sentry.install()
        return kept

    yield start_client
    uninstall()
    scope = sentry_sdk.get_global_scope()
    scope.set_client(None)
    sentry_sdk.get_isolation_scope().clear()


def uninstall() -> None:
    """Take back what we do at start-up, and when we find a client."""
    if joining._witness in hooks.failure_witnesses:
        hooks.failure_witnesses.remove(joining._witness)
        hooks.before_flush.remove(joining.join)
    request_started.disconnect(dispatch_uid="qaprod.sentry")
    got_request_exception.disconnect(dispatch_uid="qaprod.sentry")
    if processing.complete in global_event_processors:
        global_event_processors.remove(processing.complete)
    _IGNORED_LOGGERS.difference_update(joining.OUR_LOGGERS)


@pytest.fixture(params=["theirs first", "ours first"])
def order(request: pytest.FixtureRequest, start: Start) -> str:
    """Which of both receivers of Django's signal is called first: who was started first."""
    if request.param == "theirs first":
        _connect_theirs()
        _connect_ours()
    else:
        _connect_ours()
        _connect_theirs()
    return str(request.param)


def _connect_theirs() -> None:
    got_request_exception.disconnect(_got_request_exception)
    got_request_exception.connect(_got_request_exception)


def _connect_ours() -> None:
    got_request_exception.disconnect(dispatch_uid="qaprod.unhandled")
    signals.install()
    got_request_exception.disconnect(dispatch_uid="qaprod.sentry")


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("jobs.views")
