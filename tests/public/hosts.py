"""URLconfs of hosts that include the pages without a login."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.urls import URLPattern, URLResolver, include, path

PUBLIC = path("", include("django_qaprod.urls"))


class Plain:
    """At the root, without an admin."""

    urlpatterns: tuple[URLPattern | URLResolver, ...] = (PUBLIC,)


class Below:
    """Below a path."""

    urlpatterns = (path("qa/", include("django_qaprod.urls")),)


class Translated:
    """Below a language."""

    urlpatterns = tuple(i18n_patterns(PUBLIC))
