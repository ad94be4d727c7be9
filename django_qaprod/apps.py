"""The app: everything that one line in ``INSTALLED_APPS`` switches on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from . import conf, routers

#: ``manage.py check --tag qaprod`` runs our checks alone.
TAG = "qaprod"

#: Serves the forms of ``QAPROD["SERVE_EARLY"]`` where the host's middleware fails.
EARLY_MIDDLEWARE = "django_qaprod.forms.early.serve_early"


class QAProdConfig(AppConfig):
    """Install the router, the middleware and the receivers; find the host's ``qaprod`` modules.

    Nothing here touches a database, starts a thread or opens a file.
    """

    name = "django_qaprod"
    label = "qaprod"
    verbose_name = _("QA in production")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register(_check, TAG)
        checks.register(_check_deployment, TAG, deploy=True)
        if "uwsgi" in sys.modules:
            _warn_about_server()
        routers.install()
        post_migrate.connect(routers.migrate_own_file, sender=self, dispatch_uid="qaprod.migrate")
        if conf.settings().enabled:
            from . import alerts, capture, forms, gauges, worker

            capture.install()
            forms.install()
            gauges.install()
            worker.install()
            alerts.install()
            _install_adapters()
            if conf.settings().auto_middleware:
                _put_middleware_first()
        autodiscover_modules("qaprod")


# The checks are imported by the commands that run them: a server runs none.
def _check(**kwargs: Any) -> Sequence[CheckMessage]:
    from .checks import check_always

    return check_always(**kwargs)


def _check_deployment(**kwargs: Any) -> Sequence[CheckMessage]:
    from .checks import check_deployment

    return check_deployment(**kwargs)


def _install_adapters() -> None:
    """Let tracers and error trackers that are on see what must be seen while a request is served."""
    if conf.settings().opentelemetry is not None:
        from .contrib import opentelemetry

        opentelemetry.install()
    if conf.settings().sentry is not None:
        from .contrib import sentry

        sentry.install()


def _warn_about_server() -> None:
    from .checks import warn_about_server

    warn_about_server()


def _put_middleware_first() -> None:
    given = django_settings.MIDDLEWARE
    listed = list(given)
    if conf.MIDDLEWARE not in listed:
        listed.insert(0, conf.MIDDLEWARE)
    if conf.settings().serve_early and EARLY_MIDDLEWARE not in listed:
        listed.insert(listed.index(conf.MIDDLEWARE) + 1, EARLY_MIDDLEWARE)
    django_settings.MIDDLEWARE = type(given)(listed)
