"""StatsD: what was counted goes to a daemon, as counters, timers and gauges, in few packets.

Nothing is sent in a request. What a process counted in five seconds comes from the spool already added up,
and leaves as one counter a series, and for durations as a sample that stands for all of them.
"""

from __future__ import annotations

from .checks import check
from .sink import StatsDSink

__all__ = ["StatsDSink", "check"]
