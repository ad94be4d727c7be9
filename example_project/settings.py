"""The settings of the example, as small as a real project's may be.

The environment changes what differs between machines: ``EXAMPLE_DIR`` (where files are kept),
``EXAMPLE_DATABASE`` (PostgreSQL instead of SQLite, ``postgresql://user@host:port/name``), ``EXAMPLE_DEBUG``,
``EXAMPLE_DEMO`` (everybody may use the chaos page), ``EXAMPLE_URL`` (the site's address, for links in mails),
``EXAMPLE_PROFILES`` (where the profile service listens),
``EXAMPLE_TIMEOUTS`` (how many times as long that service and a lock are waited for, on a busy machine),
``EXAMPLE_RESCUE_KEYS`` (with which rescued submissions are encrypted, separated by spaces),
``EXAMPLE_RELEASE`` and ``EXAMPLE_EXPORTERS`` (keys of ``QAPROD`` as JSON, for what it sends elsewhere).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

from django_qaprod.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent
DATA_DIR = Path(os.environ.get("EXAMPLE_DIR", BASE_DIR.parent / ".demo"))

DEBUG = bool(os.environ.get("EXAMPLE_DEBUG"))
_TIMEOUTS = float(os.environ.get("EXAMPLE_TIMEOUTS", "1"))
# Whoever keeps this project on a public address has to give a key of their own.
SECRET_KEY = os.environ.get("EXAMPLE_SECRET_KEY", "the example project keeps no secrets")
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]


def _keys() -> list[str]:
    """Return the keys of what is kept of forms: the demo makes one beside its databases."""
    given = os.environ.get("EXAMPLE_RESCUE_KEYS", "")
    if not given and (DATA_DIR / "rescue-keys").exists():
        given = (DATA_DIR / "rescue-keys").read_text()
    return given.split()


# Who is told of alerts. Their mail is a directory, which the page "What the team was told" shows.
TEAM = "team@classroom-jobs.example"
INBOX_DIR = DATA_DIR / "inbox"

INSTALLED_APPS = [
    "django_qaprod",
    "example_project.jobs",
    "example_project.chaos",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
QAPROD = {
    "RELEASE": os.environ.get("EXAMPLE_RELEASE", "2.4.0"),
    "SPOOL_DIR": DATA_DIR / "spool",
    "RESCUE_KEYS": _keys(),
    "BASE_URL": os.environ.get("EXAMPLE_URL", "http://127.0.0.1:8000"),
    "CHANNELS": {"team": {"email": TEAM}},
    "LAST_RESORT": {"email": TEAM},
}

# What the demo has started, and sends to (``--exporters``).
if _exporters := os.environ.get("EXAMPLE_EXPORTERS"):
    QAPROD |= {"LOG_REQUESTS": True, "LOG_STEPS": True, **json.loads(_exporters)}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "example_project.sqlite.lock_before_writing",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "example_project.chaos.breaks.around",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
ASGI_APPLICATION = "example_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "example_project.chaos.breaks.news",
            ],
        },
    },
]


def _database(url: str) -> dict[str, Any]:
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "site.sqlite3",
            "OPTIONS": {
                "timeout": 5 * _TIMEOUTS,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
            },
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        # Nobody should wait for long for somebody else's lock.
        "OPTIONS": {"options": f"-c lock_timeout={5000 * _TIMEOUTS:.0f}"},
    }


DATABASES = {"default": {**_database(os.environ.get("EXAMPLE_DATABASE", "")), "ATOMIC_REQUESTS": True}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
# The demo's visitors log in all the time, and none of their passwords is worth half a second of hashing.
PASSWORD_HASHERS = ["example_project.hashers.QuickHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "jobs:mine"
LOGOUT_REDIRECT_URL = "jobs:home"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Europe/London"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS: list[Path] = []

DEFAULT_FROM_EMAIL = "Classroom Jobs <applications@classroom-jobs.example>"
SERVER_EMAIL = "Classroom Jobs <site@classroom-jobs.example>"
MAIL_DIR = DATA_DIR / "mail"
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {"BACKEND": "example_project.chaos.mail.EmailBackend", "OPTIONS": {"file_path": MAIL_DIR}},
    }
else:
    EMAIL_BACKEND = "example_project.chaos.mail.EmailBackend"
    EMAIL_FILE_PATH = MAIL_DIR

# Where teachers' profiles come from, and for how many seconds a visitor may wait for one.
PROFILE_SERVICE = os.environ.get("EXAMPLE_PROFILES", "http://127.0.0.1:8001")
PROFILE_TIMEOUT = 1.0 * _TIMEOUTS

CHAOS_FILE = DATA_DIR / "faults.json"
CHAOS_OPEN = bool(os.environ.get("EXAMPLE_DEMO"))

LOGGING = logging_config(format="json" if _exporters else "console")
