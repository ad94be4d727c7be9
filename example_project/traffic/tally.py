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
    # What was sent by one form has one of these ends. "Received" is kept, with a reference; what is
    # "not kept" is still in the page, which says so.
    "accounts_sent",
    "accounts_accepted",
    "accounts_refused",
    "accounts_not_kept",
    "accounts_failed",
    "starts_sent",
    "starts_accepted",
    "starts_refused",
    "starts_not_kept",
    "starts_failed",  # an error page, or no answer
    "saves_sent",
    "saves_accepted",
    "saves_received",
    "saves_refused",  # the form came back because something was missing
    "saves_not_kept",
    "saves_failed",
    "submissions_sent",  # presses on the button, double ones included
    "submissions_accepted",
    "submissions_received",
    "submissions_refused",
    "submissions_not_kept",
    "submissions_failed",
    "searches_sent",
    "searches_failed",  # answered by all schools instead
    "downloads_sent",
    "error_pages",  # 5xx
    "not_found",  # 404
    "broken_off",  # the status was fine and the rest never came
    "unanswered",  # no connection, or nothing within the time that a visitor waits
)

#: What visitors were told to be safe, each thing once: tokens of the applications that the site took or
#: received, and the references that were given out.
CONFIRMED = ("applications", "references")


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
        self._confirmed: dict[str, set[str]] = {name: set() for name in CONFIRMED}

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

    def confirm(self, kind: str, which: str) -> None:
        """Remember what a visitor was told to be safe: an application's token, or a reference."""
        with self._lock:
            self._confirmed[kind].add(which)

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def summary(self) -> dict[str, Any]:
        """Return everything that was counted."""
        with self._lock:
            counts = {name: self._counts[name] for name in COUNTED}
            groups = {name: dict(sorted(found.items())) for name, found in self._groups.items() if found}
            confirmed = {name: sorted(found) for name, found in self._confirmed.items()}
        return {**counts, **groups, "confirmed": confirmed}

    def write(self, path: Path) -> None:
        """Write the summary as JSON. Who reads it sees an old one or a new one, and never half of one."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(self.summary(), indent=2) + "\n")
        new.replace(path)
