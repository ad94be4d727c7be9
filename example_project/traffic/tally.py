"""What the visitors sent and what they got, counted on their side, to compare with the admin's numbers."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

#: The numbers of a summary that are always there.
COUNTED = (
    "requests",  # every one, redirects followed and style sheets included
    "forms_asked",  # pages of application forms that visitors opened
    "forms_served",  # … and got, with or without their profile filled in
    "starts_sent",
    "starts_accepted",
    "saves_sent",
    "saves_accepted",
    "saves_refused",  # the form came back because something was missing
    "submissions_sent",  # presses on the button, double ones included
    "submissions_accepted",  # applications that the site said it took, each once
    "searches_sent",
    "searches_failed",  # answered by all schools instead
    "downloads_sent",
    "error_pages",  # 5xx
    "not_found",  # 404
    "broken_off",  # the status was fine and the rest never came
    "unanswered",  # no connection, or nothing within the time that a visitor waits
)


class Tally:
    """Numbers that several threads add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._groups: dict[str, Counter[str]] = {
            "statuses": Counter(),
            "visits": Counter(),
            "accepted_by_form": Counter(),
            "accepted_by_browser": Counter(),
        }

    def add(self, name: str, count: int = 1) -> None:
        """Count something of ``COUNTED``."""
        if name not in COUNTED:
            raise KeyError(name)
        with self._lock:
            self._counts[name] += count

    def add_to(self, group: str, name: str) -> None:
        """Count something within a group."""
        with self._lock:
            self._groups[group][name] += 1

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def summary(self) -> dict[str, Any]:
        """Return everything that was counted."""
        with self._lock:
            counts = {name: self._counts[name] for name in COUNTED}
            groups = {name: dict(sorted(found.items())) for name, found in self._groups.items() if found}
        return {**counts, **groups}

    def write(self, path: Path) -> None:
        """Write the summary as JSON. Who reads it sees an old one or a new one, and never half of one."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(self.summary(), indent=2) + "\n")
        new.replace(path)
