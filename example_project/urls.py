from __future__ import annotations

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.db import transaction
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("example_project.jobs.urls")),
    path("chaos/", include("example_project.chaos.urls")),
    path("admin/", admin.site.urls),
    # For whoever is told of an alert, without a login.
    path("qaprod/", include("django_qaprod.urls")),
    # Asked for by pages that name no icon: the admin's, and the plain ones of forms.
    path(
        "favicon.ico",
        transaction.non_atomic_requests(RedirectView.as_view(url=static("jobs/icon.svg"), permanent=True)),
    ),
    # A real site leaves this to its web server.
    path("static/<path:path>", transaction.non_atomic_requests(serve), {"insecure": True}),
]
