"""The settings of our own tests.

``QAPROD_TEST_DB`` chooses the database: ``sqlite`` (in memory, by default) or ``postgres``, whose server
``tests/conftest.py`` starts. ``QAPROD_TEST_SQLITE`` names a file instead, for servers in other processes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.servers import free_port, postgres_settings

DATABASE = os.environ.get("QAPROD_TEST_DB", "sqlite")

if DATABASE == "postgres":
    # In the environment, so that pytest-xdist's workers and servers that tests start find the same one.
    port = int(os.environ.setdefault("QAPROD_TEST_POSTGRES_PORT", str(free_port())))
    default: dict[str, Any] = postgres_settings(port, "qaprod")
elif DATABASE == "sqlite":
    default = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("QAPROD_TEST_SQLITE", ":memory:"),
    }
else:
    raise ValueError(f"QAPROD_TEST_DB is sqlite or postgres, not {DATABASE!r}")

DATABASES = {"default": default}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django_qaprod",
    "tests.project.shop",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
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

ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ASGI_APPLICATION = "tests.project.asgi.application"
BASE_DIR = Path(__file__).parent
# Without it Django 6.1 warns whenever mail is sent; earlier ones do not know it.
MAILERS = {"default": {}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "tests.project.urls"
SECRET_KEY = "only for tests"
STATIC_URL = "/static/"
# Not UTC, so that a test sees who mixes them up.
TIME_ZONE = "Europe/Amsterdam"
USE_TZ = True
WSGI_APPLICATION = "tests.project.wsgi.application"
