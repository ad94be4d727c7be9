"""Sentry, by a client of our own: each failure becomes an event, after the response.

What a client of the host's had in the request is that client's (``contrib.sentry``); this one gets the rest.
"""

from __future__ import annotations

from .checks import check
from .sink import SentrySink

__all__ = ["SentrySink", "check"]
