"""Settings that are wrong are reported and left at their defaults; nothing crashes because of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from django_qaprod import conf

WRONG: dict[str, Any] = {
    "ENABLED": "yes",
    "AUTO_MIDDLEWARE": 1,
    "BACKGROUND": "celery",
    "RELEASE": 7,
    "RERAISE": "no",
    "SINKS": "django_qaprod.sinks.database.DatabaseSink",
    "STATSD": "127.0.0.1:8125",
    "OPENTELEMETRY": True,
    "SENTRY": "https://key@sentry.example/1",
    "LOG_REQUESTS": "yes",
    "LOG_STEPS": 1,
    "USAGE_FIELDS": {"limit_changed": "amount"},
    "RESOURCE_GAUGES": None,
    "DATABASE": ["telemetry"],
    "EVENTS_DATABASE": None,
    "SPOOL_DIR": 5,
    "SPOOL_MAX_BYTES": "256M",
    "SEGMENT_MAX_BYTES": -1,
    "USER_IDS": True,
    "TRUST_REQUEST_ID": "False",
    "IN_APP": "jobs",
    "FINGERPRINT": len,
    "FLAGS": "waffle.Flag",
    "IGNORE_LOGGERS": {"django.server"},
    "LINES_PER_REQUEST": 2.5,
    "SCRUB_KEYS": [1],
    "SCRUB_PATTERNS": [None],
    "RESCUE_KEYS": "one key",
    "RESCUE_MAX_BYTES": 5.0,
    "RESCUE_SPOOL_MAX_BYTES": "256M",
    "SERVE_EARLY": "jobs:apply",
    "BASE_URL": 5,
    "CHANNELS": ["mail"],
    "LAST_RESORT": "ops@example.org",
    "HEARTBEAT_URL": None,
    "DEFAULT_RULES": "no",
    "NOTIFICATIONS_PER_HOUR": -1,
    "OCCURRENCES_PER_FAILURE": True,
    "AFFECTED_PER_FAILURE": None,
    "MAX_SERIES": "many",
    "RETENTION_DAYS": {"events": "30"},
    "MAX_ROWS": [("events", 1)],
}


def test_nothing_set_gives_the_defaults(settings: Settings) -> None:
    settings.QAPROD = {}
    assert vars(conf.settings()) == vars(conf.Settings())
    assert conf.problems() == []


def test_a_key_in_upper_case_sets_the_attribute_in_lower_case(settings: Settings) -> None:
    settings.QAPROD = {"RELEASE": "2024-05-01", "SINKS": ["a.B"], "SPOOL_DIR": Path("/var/spool/qaprod")}
    found = conf.settings()
    assert (found.release, found.sinks, found.spool_dir) == (
        "2024-05-01",
        ("a.B",),
        Path("/var/spool/qaprod"),
    )


def test_settings_are_read_anew_when_they_change(settings: Settings) -> None:
    settings.QAPROD = {"RELEASE": "1"}
    assert conf.settings().release == "1"
    settings.QAPROD = {"RELEASE": "2"}
    assert conf.settings().release == "2"


def test_every_key_has_a_wrong_value_below() -> None:
    assert {key.upper() for key in conf.types_of_keys()} == set(WRONG)


@pytest.mark.parametrize("key", WRONG)
def test_a_value_of_the_wrong_type_is_reported_and_its_default_kept(settings: Settings, key: str) -> None:
    settings.QAPROD = {key: WRONG[key]}
    [problem] = conf.problems()
    assert (problem.key, problem.unknown) == (key, False)
    assert problem.expected
    assert vars(conf.settings()) == vars(conf.Settings())


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("BACKGROUND", "one of 'thread', 'command'"),
        ("DATABASE", "a str or None"),
        ("LINES_PER_REQUEST", "a whole number, zero or more"),
        ("SINKS", "a list or tuple of str"),
        ("RETENTION_DAYS", "a dict of str to int"),
    ],
)
def test_a_problem_says_what_was_expected(settings: Settings, key: str, expected: str) -> None:
    settings.QAPROD = {key: WRONG[key]}
    assert conf.problems()[0].expected == expected


@pytest.mark.parametrize("key", ["RELAESE", "release", "Release", 7, None, ("RELEASE",)])
def test_an_unknown_key_is_reported_and_ignored(settings: Settings, key: Any) -> None:
    settings.QAPROD = {key: "1", "RELEASE": "2"}
    [problem] = conf.problems()
    assert (problem.key, problem.unknown) == (str(key), True)
    assert conf.settings().release == "2"


@pytest.mark.parametrize("value", [None, [], "RELEASE", [("RELEASE", "1")]])
def test_qaprod_must_be_a_dict(settings: Settings, value: Any) -> None:
    settings.QAPROD = value
    assert [problem.key for problem in conf.problems()] == ["QAPROD"]
    assert vars(conf.settings()) == vars(conf.Settings())


def test_a_negative_number_of_days_is_refused(settings: Settings) -> None:
    settings.QAPROD = {"RETENTION_DAYS": {"events": -1}}
    assert [problem.key for problem in conf.problems()] == ["RETENTION_DAYS"]


def test_this_is_a_test_run() -> None:
    assert conf.in_test_run()
