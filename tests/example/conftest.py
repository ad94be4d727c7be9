"""The example has settings of its own, so its own tests run in a process of their own: ``test_site.py``."""

from __future__ import annotations

from django.conf import settings

collect_ignore = [] if settings.ROOT_URLCONF == "example_project.urls" else ["site"]
