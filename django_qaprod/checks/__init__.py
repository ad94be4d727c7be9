"""System checks: what is wrong in settings and declarations, and what a setup means for the promises.

No check touches a database or makes a directory. ``docs/checks.md`` explains each id. What is about one part
stands beside it.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.checks import CheckMessage

from .. import conf
from ..alerts import checks as alerts
from ..expectations import checks as expectations
from ..forms import checks as forms
from ..logs import checks as logs
from . import setup, written

logger = logging.getLogger("django_qaprod")


def check_always(*, app_configs: object = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong."""
    found = [*written.check()]
    if conf.settings().enabled:
        found += [*setup.check(), *forms.check_always(), *logs.check(), *expectations.check()]
        found += alerts.check()
    return found


def check_deployment(*, app_configs: object = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what matters in production alone (``manage.py check --deploy``)."""
    if not conf.settings().enabled:
        return []
    return [*setup.check_deployment(), *forms.check_deployment(), *alerts.check_deployment()]


def warn_about_server() -> None:
    """Log what is wrong with the server that this process runs in: servers run no checks."""
    for message in setup.server():
        logger.warning("%s %s (%s)", message.msg, message.hint, message.id)
