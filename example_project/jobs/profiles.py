"""The client of the profile service, which knows teachers' names, addresses and qualifications."""

from __future__ import annotations

import json
import logging
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth.models import User

from django_qaprod import CircuitBreaker, degrade

from .qaprod import JobApplication

logger = logging.getLogger(__name__)


class ProfileServiceError(Exception):
    """The profile service answered with something else than a profile."""


breaker = CircuitBreaker(trip_after=3, retry_after=10, name="profile service")


@degrade("profile prefill", fallback=dict, journey=JobApplication, breaker=breaker)
def prefill(teacher: User) -> dict[str, Any]:
    """Return what we know about a teacher, so that they need not type it."""
    profile = fetch(teacher.username)
    return {
        "full_name": f"{profile['name']['first']} {profile['name']['last']}",
        "email": profile["contact"]["email"],
        "phone": profile["contact"]["phone"],
        "town": profile["contact"]["town"],
        "qualification": profile["qualifications"][0]["title"],
        "subjects": ", ".join(profile["subjects"]),
        "years": profile["years"],
    }


def fetch(username: str) -> dict[str, Any]:
    """Ask the profile service for one profile. Waits ``PROFILE_TIMEOUT`` seconds at most for each answer."""
    address = urlsplit(settings.PROFILE_SERVICE)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=settings.PROFILE_TIMEOUT)
    try:
        logger.info("Asking the profile service for a profile.")
        connection.request("GET", f"/profiles/{quote(username)}")
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ProfileServiceError(f"The profile service answered {response.status}.")
    profile: dict[str, Any] = json.loads(body)
    return profile
