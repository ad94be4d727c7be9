"""The worker judges rules, sends what is due and tells whoever watches us, also when cron runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from pytest_django import Settings

from django_qaprod import alerts, clock, conf, registry, worker
from django_qaprod.alerts import passes
from django_qaprod.alerts.channels.base import Message
from django_qaprod.models import Alert, Breach, JobRun, Notification, Rule
from django_qaprod.records import new_id
from django_qaprod.worker.loop import run_due
from tests.alerts import catalogue
from tests.alerts.told import alert, notification
from tests.endpoints import Endpoint

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


class Post:
    """A channel of the host's."""

    sent: list[Message] = []

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, message: Message) -> None:
        Post.sent.append(message)


@pytest.fixture(autouse=True)
def _alone(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {"CHANNELS": {"post": {"class": f"{__name__}.Post"}}, "DEFAULT_RULES": False}
    Post.sent = []
    with registry.isolated():
        registry._rules.clear()
        registry._routes.clear()
        yield


def test_what_is_wrong_is_told_before_cron_s_process_ends() -> None:
    """A critical alert goes out with the look that finds it."""
    alerts.Threshold("silence", of=alerts.breaches(), at_least=1, severity="critical")
    breach()
    worker.load_jobs()
    run_due()
    assert JobRun.objects.get(name="alerts").error == ""
    assert Alert.objects.get().state == "firing"
    assert Notification.objects.get().state == "sent"
    assert [message.severity for message in Post.sent] == ["critical"]


def test_what_is_due_is_sent_though_a_look_comes_to_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was that went wrong: who is to be told of others is told."""

    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError

    notification(alert("other"), message="", lane="post")
    worker.load_jobs()
    monkeypatch.setattr(passes, "look", fail)
    run_due()
    assert "ZeroDivisionError" in JobRun.objects.get(name="alerts").error
    assert Notification.objects.get().state == "sent"


def test_what_is_found_is_kept_in_the_site_s_language_whatever_the_worker_speaks(
    settings: Settings, tmp_path: Path
) -> None:
    """What is kept is told to all, in whatever language a command runs."""
    catalogue.write(tmp_path, "de", {"%(number)s in the last %(window)s": "%(number)s in %(window)s"})
    settings.LOCALE_PATHS, settings.LANGUAGE_CODE = [str(tmp_path)], "de"
    alerts.Threshold("silence", of=alerts.breaches(), at_least=1, severity="critical")
    breach()
    worker.load_jobs()
    with translation.override("en"):
        run_due()
    assert Rule.objects.get(name="silence").verdicts[0]["words"] == "1 in 5 min"


def test_whoever_watches_us_hears_of_each_look(settings: Settings) -> None:
    """Also when cron's process ends right after it."""
    with Endpoint() as monitor:
        url = f"http://127.0.0.1:{monitor.port}/ping/secret"
        settings.QAPROD = {**settings.QAPROD, "HEARTBEAT_URL": url}
        worker.load_jobs()
        run_due()
        assert monitor.holds(b"GET /ping/secret")


def test_a_look_that_did_not_come_to_its_end_is_no_sign_of_life(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is to miss it."""
    alerts.Threshold("silence", of=alerts.breaches(), at_least=1)
    worker.load_jobs()
    monkeypatch.setattr("django_qaprod.alerts.passes.WITHIN", -1.0)
    with Endpoint() as monitor:
        settings.QAPROD = {**settings.QAPROD, "HEARTBEAT_URL": f"http://127.0.0.1:{monitor.port}/ping/"}
        run_due()
        assert not monitor.received
    assert conf.settings().heartbeat_url


def breach() -> None:
    at = clock.moment(clock.epoch(clock.now()) - 30)
    Breach.objects.create(
        expectation="e", kind="missing", journey="j", step="s", subject="7", event=new_id(), at=at, due_at=at,
        found_at=at,
    )  # fmt: skip
