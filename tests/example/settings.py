"""The example's settings, for tests: what production would swallow is swallowed."""

from __future__ import annotations

from example_project.settings import *  # noqa: F403
from example_project.settings import QAPROD as _QAPROD

QAPROD = {**_QAPROD, "RERAISE": False}
PROFILE_TIMEOUT = 0.3
