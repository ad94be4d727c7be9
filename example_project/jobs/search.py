"""The search for schools."""

from __future__ import annotations

import re

from ..chaos import faults
from .models import School
from .remembered import Remembered

remembered = Remembered()


class SearchIndexError(Exception):
    """The search index cannot be used."""


def schools(query: str) -> list[int]:
    """Return the ids of the schools that a query may mean."""
    words = set(re.findall(r"\w+", query.lower()))
    remembered.add(query)
    if faults.on("dead-search"):
        raise SearchIndexError("Index schools-v3 is missing on all shards.")
    return [school.pk for school in School.objects.all() if _matches(school, words)]


def _matches(school: School, words: set[str]) -> bool:
    text = f"{school.name} {school.town} {school.phase}".lower()
    return all(word in text for word in words)
