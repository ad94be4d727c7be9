"""How fast the errors that an objective allows may be used up.

Google's SRE Workbook, chapter 5, "6: Multiwindow, Multi-Burn-Rate Alerts": a long window says that it
matters, a short one that it still goes on. https://sre.google/workbook/alerting-on-slos/
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Windows(NamedTuple):
    """Two windows in seconds, and the share of the budget that may be used up in the long one."""

    long: float
    short: float
    budget: float

    def rate(self, period: float) -> float:
        """Return how many times faster than evenly over the period that is; slower than 1 is no harm."""
        return max(self.budget * period / self.long, 1.0)


#: Table 5-8. Of 30 days they are 14.4, 6 and 1 times too fast.
WINDOWS: Final = (
    Windows(3600.0, 300.0, 0.02),
    Windows(6 * 3600.0, 1800.0, 0.05),
    Windows(3 * 86400.0, 6 * 3600.0, 0.10),
)
#: Seconds: in less than the longest window there is nothing to use up.
LEAST_PERIOD: Final = max(windows.long for windows in WINDOWS)
