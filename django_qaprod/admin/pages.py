"""Pages that are computed: journeys, requests, gauges, health. Also what all our pages have in common.

What they show is imported when somebody looks, not at every start of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import django
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from .. import Plain
from ..models import GaugePage, Health, RequestPage
from .permissions import ReadOnlyAdmin

if TYPE_CHECKING:
    from ..dashboard.gauges import GaugesPage
    from ..dashboard.health import HealthPage
    from ..dashboard.journeys import JourneyPage
    from ..dashboard.requests import RequestsPage

View = TypeVar("View", bound=Callable[..., Any])
Row = TypeVar("Row", bound=Model)


class Crumb(Plain):
    """A step on the way to a page."""

    title: str
    url: str

    @classmethod
    def of(cls, site: AdminSite, model: type[Model]) -> Crumb:
        """Return the step to a model's list."""
        title = str(model._meta.verbose_name_plural).capitalize()
        return cls(title=title, url=address(site, model, "changelist"))


def address(site: AdminSite, model: type[Model], view: str) -> str:
    """Return the address of a model's view in an admin site."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", current_app=site.name)


def whole_number(text: str) -> int:
    """Return the number that an address, a query or a form names, -1 for what is none.

    What is beyond every bigint column is the last that fits into one.
    """
    known = text.isascii() and text.isdigit() and len(text) < 20
    return min(int(text), 2**63 - 1) if known else -1


def row_of(model: type[Row], object_id: str | int, missing: str) -> Row:
    """Return the row that an address names. Raises ``Http404``, which says what is ``missing``."""
    row = model._default_manager.filter(pk=whole_number(str(object_id))).first()
    if row is None:
        raise Http404(missing)
    return row


def outside_transactions(view: View) -> View:
    """Keep a view out of every transaction of ``ATOMIC_REQUESTS``, on whatever alias.

    What it sends is out, whatever becomes of the request.
    """
    for alias in connections:
        transaction.non_atomic_requests(alias)(view)
    return view


def banner(site: AdminSite, request: HttpRequest) -> dict[str, Any]:
    """Return what every page of ours knows: whether its numbers are stale, and how crumbs are written."""
    from ..dashboard import health

    may_look = request.user.has_perm("qaprod.view_health")
    return {
        "warnings": health.warnings(),
        "health_url": address(site, Health, "changelist") if may_look and site.is_registered(Health) else "",
        # Since Django 6.1 the admin's crumbs are a list.
        "listed_crumbs": django.VERSION >= (6, 1),
    }


def shown(
    page: ReadOnlyAdmin,
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    crumbs: Sequence[Crumb] = (),
    status: int = 200,
) -> TemplateResponse:
    """Return a page of ours in the frame of the admin site; ``crumbs`` lead to it."""
    request.current_app = page.admin_site.name
    known = {
        **page.admin_site.each_context(request),
        **banner(page.admin_site, request),
        "opts": page.opts,
        "crumbs": crumbs,
    }
    return TemplateResponse(request, template, {**known, **context}, status=status)


class PageAdmin(ReadOnlyAdmin):
    """A computed page in place of a list."""

    template = ""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", self.staff_only(self.changelist_view), name=name)]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.page(request, self.template, {"title": self.title(), "page": self.data(request)})

    def title(self) -> str:
        """Return the page's heading."""
        return str(self.opts.verbose_name_plural).capitalize()

    def data(self, request: HttpRequest) -> object:
        """Return what the template shows."""
        raise NotImplementedError

    def page(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        """Return a page for those who may look, by GET alone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return shown(self, request, template, context, status=status)


class JourneyPageAdmin(PageAdmin):
    """The funnels of the declared journeys."""

    template = "qaprod/journeys.html"

    def data(self, request: HttpRequest) -> JourneyPage:
        from ..dashboard import journeys

        return journeys.page(request.GET)


class RequestPageAdmin(PageAdmin):
    """The requests by route, and a page for each route."""

    template = "qaprod/requests.html"

    def get_urls(self) -> list[URLPattern]:
        route = path("route/", self.staff_only(self.route_view), name="qaprod_requestpage_route")
        return [route, *super().get_urls()]

    def data(self, request: HttpRequest) -> RequestsPage:
        from ..dashboard import requests

        return requests.page(request.GET)

    def route_view(self, request: HttpRequest) -> HttpResponse:
        """Show the route that ``?route=`` names; one that nobody asked for is an empty page."""
        from ..dashboard import requests, words

        if not self.has_view_permission(request):
            raise PermissionDenied
        data = requests.route_page(request.GET)
        crumbs = [Crumb.of(self.admin_site, RequestPage)]
        title = words.cut(data.detail.route, 120) or _("No route")
        return self.page(request, "qaprod/route.html", {"title": title, "page": data, "crumbs": crumbs})


class GaugePageAdmin(PageAdmin):
    """The gauges, and a page for each."""

    template = "qaprod/gauges.html"

    def get_urls(self) -> list[URLPattern]:
        gauge = path("gauge/", self.staff_only(self.gauge_view), name="qaprod_gaugepage_gauge")
        return [gauge, *super().get_urls()]

    def data(self, request: HttpRequest) -> GaugesPage:
        from ..dashboard import gauges

        return gauges.page()

    def gauge_view(self, request: HttpRequest) -> HttpResponse:
        """Show the gauge that ``?name=`` names; where there is none, the page says so with status 404."""
        from ..dashboard import gauges, words

        if not self.has_view_permission(request):
            raise PermissionDenied
        data = gauges.gauge_page(request.GET)
        crumbs = [Crumb.of(self.admin_site, GaugePage)]
        if data is None:
            context = {"title": _("No such gauge"), "crumbs": crumbs}
            return self.page(request, "qaprod/no_gauge.html", context, status=404)
        title = words.cut(f"{data.name} {data.label or ''}", 120)
        return self.page(request, "qaprod/gauge.html", {"title": title, "page": data, "crumbs": crumbs})


class HealthAdmin(PageAdmin):
    """Whether we ourselves are alive."""

    template = "qaprod/health.html"

    def title(self) -> str:
        return _("Health of QA in production")

    def page(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        # The banner need not lead to where one is.
        return super().page(request, template, {**context, "health_url": ""}, status=status)

    def data(self, request: HttpRequest) -> HealthPage:
        from ..dashboard import health
        from ..forms.checks import rescues_anything

        return health.page(rescuing=rescues_anything())
