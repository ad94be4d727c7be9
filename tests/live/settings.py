"""The shop as a real server runs it: a database that outlives the process, errors as visitors get them."""

from __future__ import annotations

import json
import os

from tests.project.settings import *  # noqa: F403
from tests.project.settings import INSTALLED_APPS

# Written by the test that starts the server: DATABASES, QAPROD and whatever else it is about.
_given = json.loads(os.environ["QAPROD_LIVE"])

DATABASES = _given.pop("DATABASES")
QAPROD = _given.pop("QAPROD", {})
if _given.pop("WITHOUT_QAPROD", False):
    INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "django_qaprod"]
    ROOT_URLCONF = "tests.live.urls_without_qaprod"
else:
    ROOT_URLCONF = "tests.live.urls"
DEBUG = False
LOGGING_CONFIG = None
globals().update(_given)
