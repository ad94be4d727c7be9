"""An alert's page, its buttons, and how useful alerts were.

What they show is imported when somebody looks, not at every start of the host.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from ..dashboard import words
from ..models import Alert, Failure, Rule, Silence
from .pages import Crumb, address, row_of, shown
from .permissions import ReadOnlyAdmin, may


class AlertPageViews(ReadOnlyAdmin):
    """The views of one alert: to look at it, and to act."""

    def page_url(self, alert: Alert, view: str = "detail") -> str:
        """Return the address of one of the alert's views, in this admin site."""
        return reverse(f"admin:qaprod_alert_{view}", args=(alert.pk,), current_app=self.admin_site.name)

    def detail_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show an alert. What changes it is ``act_view`` alone."""
        from ..dashboard import alerts
        from .acts import SPANS

        alert = self._alert(request, pk)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        may_see_failures = request.user.has_perm("qaprod.view_failure")
        data = alerts.page(alert, with_failures=may_see_failures)
        active = alert.state != Alert.State.RESOLVED
        context = {
            "title": alerts.title(alert),
            "alert": alert,
            "page": data,
            "hushed": alerts.hushed(data.hush),
            "failures": [(one, words.title(one), self._failure_url(one)) for one in data.failures],
            "may_see_failures": may_see_failures,
            "earlier": [(one, self.page_url(one), alerts.lasted(one)) for one in data.earlier],
            "rule_url": self._rule_url(request, alert.rule),
            "explained_url": self._rule_url(request, data.hush.explained),
            "silences_url": self._silences_url(request),
            "runbook_url": words.link(data.spec.runbook) if data.spec is not None else "",
            "act_url": self.page_url(alert, "act"),
            "spans": SPANS,
            "may_acknowledge": alert.state == Alert.State.FIRING
            and alert.acknowledged_at is None
            and may(request, "acknowledge", of="alert"),
            "may_give_back": alert.state == Alert.State.FIRING
            and alert.acknowledged_at is not None
            and may(request, "acknowledge", of="alert"),
            "may_resolve": active and may(request, "resolve", of="alert"),
            "may_silence": active and may(request, "add", of="silence"),
            "may_judge": alert.fired_at is not None and may(request, "acknowledge", of="alert"),
        }
        crumbs = [Crumb.of(self.admin_site, Alert)]
        return shown(self, request, "qaprod/alerts/alert.html", context, crumbs=crumbs)

    def act_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Do something to an alert by POST, with the permission that the act asks for."""
        from .acting import acted
        from .alert_acts import PERMISSION, Act, ActForm

        alert = self._alert(request, pk)
        back = self.page_url(alert)
        return acted(self, request, alert.pk, known=PERMISSION, form=ActForm, act=Act, back=back)

    def usefulness_view(self, request: HttpRequest) -> HttpResponse:
        """Show how useful the alerts of each rule were, and which rules cry wolf."""
        from ..dashboard import usefulness

        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        data = usefulness.page()
        context = {
            "title": _("How useful alerts were"),
            "page": data,
            "rules_url": rules_url(self, request),
            "resolved_url": f"{address(self.admin_site, Alert, 'changelist')}?state=resolved",
        }
        crumbs = [Crumb.of(self.admin_site, Alert)]
        return shown(self, request, "qaprod/alerts/usefulness.html", context, crumbs=crumbs)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead from the stock address to the alert's page."""
        return HttpResponseRedirect(self.page_url(self._alert(request, object_id)))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the transitions, which are the history of an alert."""
        return HttpResponseRedirect(f"{self.page_url(self._alert(request, object_id))}#transitions")

    def _alert(self, request: HttpRequest, object_id: str | int) -> Alert:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return row_of(Alert, object_id, _("There is no such alert."))

    def _failure_url(self, failure: Failure) -> str:
        if not self.admin_site.is_registered(Failure):
            return ""
        return reverse("admin:qaprod_failure_change", args=(failure.pk,), current_app=self.admin_site.name)

    def _rule_url(self, request: HttpRequest, name: str) -> str:
        base = rules_url(self, request)
        return f"{base}?{urlencode({'name': name})}" if base else ""

    def _silences_url(self, request: HttpRequest) -> str:
        if not self.admin_site.is_registered(Silence) or not may(request, "view", of="silence"):
            return ""
        return address(self.admin_site, Silence, "changelist")


def rules_url(page: ReadOnlyAdmin, request: HttpRequest) -> str:
    """Return the address of the page of a rule, without the rule's name, for those who may look at it."""
    if not page.admin_site.is_registered(Rule) or not may(request, "view", of="rule"):
        return ""
    return reverse("admin:qaprod_rule_rule", current_app=page.admin_site.name)
