"""Every check speaks up in the setup that it is about, and is silent in a setup that is well."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import checks as django_checks
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import router
from django.test import override_settings
from pytest_django import Settings

from django_qaprod import Journey, Step, checks, conf, critical, degrade, options, registry
from django_qaprod.apps import TAG
from django_qaprod.checks import setup, written
from django_qaprod.conf import MIDDLEWARE
from django_qaprod.pipeline import spool

ROOT = Path(__file__).parents[2]
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3", "OPTIONS": {}}
POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}
GOOD_SQLITE = {
    **SQLITE,
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode = WAL"},
}


class NotASink:
    """Takes nothing."""


class NeedsArguments:
    """A sink that cannot be made from its path alone."""

    name = "needy"

    def __init__(self, url: str) -> None: ...
    def write(self, batch: object) -> None: ...
    def close(self) -> None: ...


class OwnSink:
    """A sink of the host's."""

    def __init__(self, url: str = "") -> None:
        self.name = "own"

    def write(self, batch: object) -> None: ...
    def close(self) -> None: ...


def make_sink() -> OwnSink:
    return OwnSink()


not_callable = 5


class ShopElsewhere:
    """A router of the host's."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "shop" if model._meta.app_label == "shop" else None


class FailingRouter:
    """A router that needs a request."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        raise RuntimeError("no tenant")


@pytest.fixture(autouse=True)
def _well(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A setup with which nothing is wrong."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(setup.tempfile, "gettempdir", lambda: "/nowhere")
    # Not by ``settings``, which warns of connections that are made already.
    monkeypatch.setattr(django_settings, "DATABASES", {"default": POSTGRESQL})
    # Whoever overrides the routers' setting gets all routers anew, and loses ours: this gives them back.
    monkeypatch.setattr(router, "routers", router.routers)
    settings.MIDDLEWARE = [MIDDLEWARE, "django.middleware.common.CommonMiddleware"]
    mail = {"email": ["ada@example.org"]}
    settings.QAPROD = {
        "SPOOL_DIR": str(tmp_path / "spool"),
        "BASE_URL": "https://jobs.example.org",
        "CHANNELS": {"mail": mail},
        "LAST_RESORT": mail,
    }
    spool.forget_directory()
    # What other tests' modules name is not declared here.
    monkeypatch.setattr(registry, "_references", {})
    with registry.isolated():
        yield
    spool.forget_directory()


def found(*, deploy: bool = True) -> list[CheckMessage]:
    messages = checks.check_always()
    return messages + (checks.check_deployment() if deploy else [])


def ids(**options: bool) -> list[str]:
    return [str(message.id) for message in found(**options) if message.id != "qaprod.I001"]


def the(number: str) -> CheckMessage:
    [message] = [message for message in found() if message.id == f"qaprod.{number}"]
    return message


def qaprod(**keys: Any) -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        settings.QAPROD = {**settings.QAPROD, **keys}

    return change


def middleware(*listed: str) -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        settings.MIDDLEWARE = list(listed)

    return change


def databases(**aliases: Any) -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        django_settings.DATABASES = aliases

    return change


COMMON = "django.middleware.common.CommonMiddleware"

# id, the change that brings it about, words of the message, words of the hint
CASES: list[tuple[str, Callable[[Settings], None], str, str]] = [
    ("E001", qaprod(RELAESE="1"), "no key 'RELAESE'", "Did you mean 'RELEASE'?"),
    ("E001", qaprod(release="1"), "no key 'release'", "Did you mean 'RELEASE'?"),
    ("E014", qaprod(STATSD={"HOTS": "stats"}), "QAPROD['STATSD'] has no key 'HOTS'", "Did you mean 'HOST'?"),
    ("E014", qaprod(SENTRY={"dsn": ""}), "QAPROD['SENTRY'] has no key 'dsn'", "Did you mean 'DSN'?"),
    (
        "E015",
        qaprod(STATSD={"PORT": "8125"}),
        "QAPROD['STATSD']['PORT'] is of the wrong type",
        "whole number",
    ),
    (
        "E015",
        qaprod(STATSD={"PROTOCOL": "upd"}),
        "QAPROD['STATSD']['PROTOCOL'] has a wrong value",
        "one of 'udp', 'tcp', 'unix'",
    ),
    ("E015", qaprod(STATSD={"PORT": -1}), "QAPROD['STATSD']['PORT'] has a wrong value", "zero or more"),
    ("E015", qaprod(STATSD={"PORT": True}), "QAPROD['STATSD']['PORT'] is of the wrong type", "whole number"),
    ("E015", qaprod(SENTRY={"TAGS": {"a": 1}}), "QAPROD['SENTRY']['TAGS'] has a wrong value", "str to str"),
    ("E001", qaprod(XYZZY=1), "no key 'XYZZY'", "Known are: ENABLED, "),
    ("E002", qaprod(ENABLED="yes"), "QAPROD['ENABLED'] is of the wrong type", "a bool"),
    ("E002", qaprod(USER_IDS="hashed"), "QAPROD['USER_IDS'] has a wrong value", "one of 'plain', 'hash'"),
    ("E002", qaprod(MAX_SERIES=-1), "QAPROD['MAX_SERIES'] has a wrong value", "zero or more"),
    ("E002", qaprod(STATSD=True), "it is off: nothing goes to StatsD", "{'HOST': 'localhost'}"),
    ("E002", qaprod(STATSD="localhost"), "it is off: nothing goes to StatsD", "or {} for their defaults"),
    ("E002", qaprod(OPENTELEMETRY=True), "it is off: nothing goes to OpenTelemetry", "{} for"),
    ("E002", qaprod(SENTRY="https://key@sentry.example/7"), "nothing goes to Sentry", "'DSN': "),
    ("E002", lambda settings: setattr(settings, "QAPROD", []), "QAPROD is of the wrong type", "a dict"),
    ("E003", qaprod(DATABASE="telemetry"), "'telemetry', which is not in DATABASES", "one of: default"),
    ("E004", qaprod(EVENTS_DATABASE="facts"), "'facts', which is not in DATABASES", "one of: default"),
    ("E005", qaprod(SINKS=["nowhere.Sink"]), "'nowhere.Sink' cannot be imported", "dotted path"),
    ("E005", qaprod(SINKS=["NotDotted"]), "'NotDotted' cannot be imported", "dotted path"),
    ("E006", qaprod(SINKS=[f"{__name__}.NotASink"]), "is not a sink", "write(batch)"),
    ("E006", qaprod(SINKS=[f"{__name__}.NeedsArguments"]), "is not a sink", "without arguments"),
    ("E006", qaprod(SINKS=[f"{__name__}.not_callable"]), "is not a sink", "write(batch)"),
    ("E007", qaprod(FINGERPRINT="nowhere.group"), "cannot be imported", "returns a string"),
    ("E007", qaprod(FINGERPRINT=f"{__name__}.not_callable"), "is no function", "returns a string"),
    ("E008", qaprod(SCRUB_PATTERNS=["(", "fine"]), "'(' is not a regular expression", "re module"),
    ("E009", qaprod(RETENTION_DAYS={"event": 3}), "no key 'event'", "Did you mean 'events'?"),
    ("E009", qaprod(MAX_ROWS={"xyzzy": 3}), "no key 'xyzzy'", "Known are: "),
    ("E034", qaprod(FLAGS=["waffle.Flag"]), "'waffle.Flag'", "app_label.ModelName"),
    ("E034", qaprod(FLAGS=["Flag"]), "'Flag'", "app_label.ModelName"),
    ("E010", middleware(MIDDLEWARE, COMMON, MIDDLEWARE), "2 times", "List it once"),
    ("W001", middleware(COMMON), "not installed", "AUTO_MIDDLEWARE"),
    ("W002", middleware(COMMON, MIDDLEWARE), "not the first", "Put "),
    ("W007", databases(default=GOOD_SQLITE), "own SQLite database", "Leave QAPROD['DATABASE'] out"),
    ("W010", databases(default=SQLITE, qaprod=SQLITE), "several writers", "journal_mode=WAL"),
]


@pytest.mark.parametrize(("number", "change", "words", "hint"), CASES)
def test_a_check_speaks_up_and_says_what_to_change(
    settings: Settings, number: str, change: Callable[[Settings], None], words: str, hint: str
) -> None:
    change(settings)
    message = the(number)
    assert words in message.msg
    assert hint in (message.hint or "")
    severity = {"E": django_checks.ERROR, "W": django_checks.WARNING, "I": django_checks.INFO}[number[0]]
    assert message.level == severity


def test_a_setup_that_is_well_is_met_with_silence(settings: Settings) -> None:
    assert ids() == []
    django_settings.DATABASES = {"default": GOOD_SQLITE, "qaprod": GOOD_SQLITE}
    assert ids() == []


@pytest.mark.parametrize(
    "path", [f"{__name__}.OwnSink", f"{__name__}.make_sink", "django_qaprod.sinks.log.LogSink"]
)
def test_sinks_of_the_host_are_welcome_as_classes_and_as_functions(settings: Settings, path: str) -> None:
    settings.QAPROD = {**settings.QAPROD, "SINKS": [path], "FINGERPRINT": f"{__name__}.make_sink"}
    assert ids() == []


def test_a_sink_whose_module_raises_is_an_error_and_no_crash(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "qaprod_broken_sink.py").write_text("1 / 0")
    settings.QAPROD = {**settings.QAPROD, "SINKS": ["qaprod_broken_sink.Sink"]}
    sys.path.insert(0, str(tmp_path))
    try:
        assert "ZeroDivisionError" in the("E005").msg
    finally:
        sys.path.remove(str(tmp_path))


def view() -> None: ...


@pytest.mark.parametrize(
    ("decorator", "by"), [(critical, "@critical"), (degrade, f"@degrade of {__name__}.view")]
)
def test_a_journey_that_nobody_declared_is_an_error(decorator: Any, by: str) -> None:
    decorator(journey="job_aplication")(view)
    assert (the("E011").hint or "").startswith("Known are: ")

    class JobApplication(Journey):
        started = Step()

    message = the("E011")
    assert message.msg.startswith(f"{by} names the journey 'job_aplication'")
    assert "Did you mean 'job_application'?" in (message.hint or "")


def test_a_journey_may_be_declared_after_the_views_that_name_it() -> None:
    critical(journey="job_application")(view)

    class JobApplication(Journey):
        started = Step()

    degrade(journey=JobApplication)(view)
    assert ids() == []


def test_the_views_that_name_journeys_are_looked_for(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "qaprod_urls.py").write_text(
        "from django_qaprod import critical\ncritical(journey='typo')(print)\nurlpatterns = []\n"
    )
    (tmp_path / "qaprod_broken_urls.py").write_text("1 / 0")
    sys.path.insert(0, str(tmp_path))
    try:
        settings.ROOT_URLCONF = "qaprod_broken_urls"
        assert ids() == []
        settings.ROOT_URLCONF = "qaprod_urls"
        assert ids() == ["qaprod.E011"]
        del settings.ROOT_URLCONF
        assert ids() == ["qaprod.E011"]
    finally:
        sys.path.remove(str(tmp_path))


def test_what_is_switched_off_is_not_judged(settings: Settings) -> None:
    settings.QAPROD = {"ENABLED": False, "SPOOL_DIR": "/proc/nowhere"}
    settings.MIDDLEWARE = [COMMON]
    assert found() == []


def test_wrong_settings_are_errors_even_when_switched_off(settings: Settings) -> None:
    settings.QAPROD = {"ENABLED": False, "RELAESE": "1"}
    assert ids() == ["qaprod.E001"]


def test_a_check_makes_no_directory(tmp_path: Path) -> None:
    found()
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_can_be_made_or_is_there_is_fine(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o700)
    assert ids() == []


@pytest.mark.parametrize("wrong", ["a file", "a link", "writable by others", "below a file"])
def test_a_spool_that_is_not_safe_or_not_there_means_memory(
    tmp_path: Path, settings: Settings, wrong: str
) -> None:
    path = tmp_path / "spool"
    if wrong == "a file":
        path.write_text("")
    elif wrong == "a link":
        (tmp_path / "real").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "real")
    elif wrong == "below a file":
        path.write_text("")
        settings.QAPROD = {"SPOOL_DIR": str(path / "spool")}
    else:
        path.mkdir()
        path.chmod(0o777)
    message = the("W003")
    assert "memory serves" in message.msg
    assert "lost" in (message.hint or "")


def test_a_spool_of_somebody_else_means_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spool").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert "not a directory of the user" in the("W003").msg


def test_a_parent_that_cannot_be_written_means_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "cannot be written" in the("W003").msg


def test_a_parent_in_which_anybody_may_rename_is_warned_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert str(tmp_path) in the("W004").msg
    tmp_path.chmod(0o1777)
    assert ids() == []


def test_a_spool_below_the_temporary_directory_is_warned_of_in_production_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.tempfile, "gettempdir", lambda: str(tmp_path))
    assert ids(deploy=False) == []
    assert "lost" in the("W009").msg


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["qaprod.W005", "qaprod.W006"]),
        ({"enable-threads": True}, ["qaprod.W006"]),
        ({b"enable-threads": b"true", b"py-call-uwsgi-fork-hooks": b"true"}, []),
        ({"threads": b"4", "py-call-uwsgi-fork-hooks": True}, []),
        ({"threads": b"1", "enable-threads": b"false", "py-call-uwsgi-fork-hooks": True}, ["qaprod.W005"]),
    ],
)
def test_uwsgi_s_options_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    options: dict[Any, Any],
    expected: list[str],
) -> None:
    uwsgi = types.ModuleType("uwsgi")
    uwsgi.opt = options  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    assert ids() == expected
    checks.warn_about_server()
    assert [record.getMessage().split("(")[-1] for record in caplog.records] == [
        f"{name})" for name in expected
    ]


def test_other_servers_are_not_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    checks.warn_about_server()
    assert caplog.records == []


def test_telemetry_put_into_the_host_s_sqlite_file_is_warned_of(settings: Settings) -> None:
    django_settings.DATABASES = {"default": GOOD_SQLITE, "qaprod": GOOD_SQLITE}
    settings.QAPROD = {**settings.QAPROD, "DATABASE": "default"}
    assert ids() == ["qaprod.W007"]


def test_events_apart_from_the_work_are_warned_of(settings: Settings) -> None:
    django_settings.DATABASES = {"default": POSTGRESQL, "facts": POSTGRESQL}
    settings.QAPROD = {**settings.QAPROD, "EVENTS_DATABASE": "facts"}
    message = the("W008")
    assert "kept in 'facts'" in message.msg
    assert "at most once" in message.msg


def test_work_that_a_router_puts_apart_from_the_events_is_warned_of(settings: Settings) -> None:
    django_settings.DATABASES = {"default": POSTGRESQL, "shop": POSTGRESQL}
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.ShopElsewhere"]):
        assert "'shop'" in the("W008").msg


def test_a_router_that_fails_keeps_no_command_from_running(settings: Settings) -> None:
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.FailingRouter"]):
        assert ids() == []


@pytest.mark.parametrize(
    "words", ["Inside a transaction there", "Outside", "another alias", "at most once", "strict="]
)
def test_production_is_told_what_is_promised_of_events(words: str) -> None:
    assert words in the("I001").msg


def test_where_telemetry_is_goes_with_the_promise(settings: Settings) -> None:
    django_settings.DATABASES = {"default": POSTGRESQL, "telemetry": POSTGRESQL}
    settings.QAPROD = {**settings.QAPROD, "DATABASE": "telemetry"}
    assert ids() == []
    assert "Telemetry is in 'telemetry'" in the("I001").msg


def test_the_checks_are_registered(settings: Settings) -> None:
    settings.QAPROD = {**settings.QAPROD, "RELAESE": "1"}
    with pytest.raises(SystemCheckError, match=r"qaprod\.E001"):
        call_command("check", tags=[TAG])


def test_every_id_has_a_test() -> None:
    sources = "".join(path.read_text() for path in Path(checks.__file__).parent.glob("*.py"))
    raised = set(re.findall(r"\b[EWI]\d{3}\b", sources))
    assert raised == set(re.findall(r"\b[EWI]\d{3}\b", Path(__file__).read_text())), "ids there and here"


def test_ids_have_no_gaps() -> None:
    documented = re.findall(r"^### `qaprod\.(\w+)`$", (ROOT / "docs/checks.md").read_text(), re.MULTILINE)
    for severity in "EWI":
        numbers = [number for number in documented if number.startswith(severity)]
        assert numbers == [f"{severity}{number:03}" for number in range(1, len(numbers) + 1)]


def test_every_key_of_an_adapter_tells_how_it_is_written() -> None:
    assert list(written._ADAPTERS) == list(options.KEYS.values())


def test_checks_touch_no_database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper

    def refuse(self: object) -> None:
        raise AssertionError("a database was touched")

    monkeypatch.setattr(BaseDatabaseWrapper, "connect", refuse)
    found()


def test_conf_still_knows_the_middleware() -> None:
    module, _, name = conf.MIDDLEWARE.rpartition(".")
    assert hasattr(__import__(module, fromlist=[name]), name)


def test_a_new_project_is_met_with_silence(tmp_path: Path) -> None:
    """Adding the one line prints nothing: no warning that everybody learns to overlook."""
    script = """
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
                   INSTALLED_APPS=["django_qaprod"])
import django
django.setup()
from django.core.management import call_command
call_command("check")
"""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert answer.stdout.strip() == "System check identified no issues (0 silenced)."
    assert answer.stderr == ""
