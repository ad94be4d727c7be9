"""The site's settings, with a database that forgets and a channel that only listens."""

from __future__ import annotations

import os

from ..settings import *  # noqa: F403
from ..settings import DATABASES as _DATABASES
from ..settings import QAPROD as _QAPROD

DATABASES = {
    "default": {
        **_DATABASES["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(os.environ["EXAMPLE_DIR"], "site.sqlite3"),  # noqa: PTH118
        "OPTIONS": {"init_command": "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF"},
    }
}
QAPROD = {
    **_QAPROD,
    "CHANNELS": {"team": {"class": "example_project.weeks.listening.Listening"}},
    "LAST_RESORT": None,
    "RESCUE_KEYS": [],
    "RELEASE": "",
    "BACKGROUND": "command",
}
LOGGING = {"version": 1, "disable_existing_loggers": True}
CHAOS_OPEN = False
