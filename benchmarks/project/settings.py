"""The settings that ``startproject`` writes, plus what the variant adds.

``QAPROD_BENCH_VARIANT`` is ``bare``, ``least``, ``ours``, ``all``, one of ``EXPORTERS`` or one of ``PEERS``;
``QAPROD_BENCH_DIR`` is the directory of the database, the spool and the log; ``QAPROD_BENCH_POSTGRES`` is the
port of a PostgreSQL to be used instead of SQLite; ``QAPROD_BENCH_THIN`` leaves out Django's own middleware;
with ``QAPROD_BENCH_QUIET`` nothing is recorded; ``QAPROD_BENCH_HTTP`` and ``QAPROD_BENCH_UDP`` are the ports
of who swallows what exporters send.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

VARIANT = os.environ.get("QAPROD_BENCH_VARIANT", "ours")
DIRECTORY = Path(os.environ["QAPROD_BENCH_DIR"])
POSTGRES_PORT = os.environ.get("QAPROD_BENCH_POSTGRES")
BENCH_HTTP = int(os.environ.get("QAPROD_BENCH_HTTP", "9"))
BENCH_UDP = int(os.environ.get("QAPROD_BENCH_UDP", "9"))

_STATSD = {"STATSD": {"PORT": BENCH_UDP}}
_METRICS = {"OPENTELEMETRY": {"TRACES": False}}
_SENTRY = {"SENTRY": {"DSN": f"http://key@127.0.0.1:{BENCH_HTTP}/1"}}
# What a variant adds to the defaults.
EXPORTERS: dict[str, dict[str, Any]] = {
    "statsd": _STATSD,
    "metrics": _METRICS,
    "sentry": _SENTRY,
    "logs": {},
    "lines": {"LOG_REQUESTS": True},
    "exporters": _STATSD | _METRICS | _SENTRY,
    "traces": _STATSD | {"OPENTELEMETRY": {}} | _SENTRY,
}
# What people assemble by hand: functions of ``peers``.
PEERS: dict[str, tuple[str, ...]] = {
    "statsd by hand": (),
    "opentelemetry": ("opentelemetry",),
    "sentry alone": ("sentry",),
    "assembled": ("opentelemetry", "sentry"),
}
BENCH_PEERS = PEERS.get(VARIANT, ())

ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "benchmarks.project.urls"
SECRET_KEY = "only for benchmarks"
STATIC_URL = "/static/"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "benchmarks.project",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

if POSTGRES_PORT:
    DATABASES: dict[str, Any] = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "NAME": "qaprod",
            "PORT": POSTGRES_PORT,
            "USER": "postgres",
        }
    }
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "db.sqlite3"}}

if os.environ.get("QAPROD_BENCH_THIN"):
    INSTALLED_APPS.remove("django.contrib.admin")
    MIDDLEWARE.clear()

if VARIANT == "least":
    MIDDLEWARE.insert(0, "benchmarks.project.least.observe")

if VARIANT in {"statsd by hand", "assembled"}:
    MIDDLEWARE.insert(0, "benchmarks.project.peers.statsd_by_hand")

if VARIANT in {"ours", "all", *EXPORTERS}:
    INSTALLED_APPS.insert(0, "django_qaprod")
    QAPROD: dict[str, Any] = {
        "ENABLED": not os.environ.get("QAPROD_BENCH_QUIET"),
        "SPOOL_DIR": DIRECTORY / "spool",
        "RESCUE_KEYS": ["q" * 43 + "="],
    }

if VARIANT in EXPORTERS:
    QAPROD |= EXPORTERS[VARIANT]

if VARIANT in {"logs", "lines", "exporters", "traces"}:
    from django_qaprod.logs import logging_config

    LOGGING = logging_config()
    LOGGING["handlers"]["stdout"] = {
        "class": "logging.FileHandler",
        "filename": DIRECTORY / "site.log",
        "formatter": "line",
    }

if VARIANT == "all":
    QAPROD |= {
        "RELEASE": "2025.11.1",
        "USER_IDS": "hash",
        "SCRUB_KEYS": ("registration",),
        "SCRUB_PATTERNS": (r"\bTRN-\d+",),
        "SINKS": ("django_qaprod.sinks.database.DatabaseSink", "django_qaprod.sinks.log.LogSink"),
    }
    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"file": {"class": "logging.FileHandler", "filename": DIRECTORY / "qaprod.log"}},
        "loggers": {"qaprod": {"handlers": ["file"], "level": "DEBUG", "propagate": False}},
    }
