"""The app: everything that one line in ``INSTALLED_APPS`` switches on."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from . import conf, routers


class QAProdConfig(AppConfig):
    """Install the router, the middleware and the receivers; find the host's ``qaprod`` modules.

    Nothing here touches a database, starts a thread or opens a file.
    """

    name = "django_qaprod"
    label = "qaprod"
    verbose_name = _("QA in production")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks

        checks.register()
        checks.warn_about_server()
        routers.install()
        post_migrate.connect(routers.migrate_own_file, sender=self, dispatch_uid="qaprod.migrate")
        if conf.settings().enabled:
            from . import capture, worker

            capture.install()
            worker.install()
            if conf.settings().auto_middleware:
                _put_middleware_first()
        autodiscover_modules("qaprod")


def _put_middleware_first() -> None:
    listed = django_settings.MIDDLEWARE
    if conf.MIDDLEWARE not in listed:
        django_settings.MIDDLEWARE = type(listed)((conf.MIDDLEWARE, *listed))
