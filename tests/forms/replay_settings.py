"""The settings of processes that replay and are killed; ``QAPROD_TEST_REPLAY`` says where (JSON)."""

from __future__ import annotations

import json
import os

from tests.project.settings import *  # noqa: F403

_given = json.loads(os.environ["QAPROD_TEST_REPLAY"])

DATABASES = {"default": _given["database"]}
QAPROD = {
    "BACKGROUND": "command",
    "RERAISE": False,
    "RESCUE_KEYS": [_given["key"]],
    "SPOOL_DIR": _given["spool"],
}
ROOT_URLCONF = "tests.forms.replay_host"
