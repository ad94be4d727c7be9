"""The example's settings, for tests: what production would swallow is swallowed."""

from __future__ import annotations

from example_project.settings import *  # noqa: F403
from example_project.settings import QAPROD as _QAPROD

QAPROD = {**_QAPROD, "RERAISE": False, "RESCUE_KEYS": ["q" * 43 + "="]}
# Long enough for a busy machine, and tests wait for it.
PROFILE_TIMEOUT = 1.0
