"""The rules: what each says now, and a page for each on which its numbers are changed.

Rules are declared in code. What they show is imported when somebody looks, not at every start of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from ..dashboard import words
from ..models import Alert, Rule
from .pages import Crumb, PageAdmin, address, shown
from .permissions import may

if TYPE_CHECKING:
    from ..dashboard.rules import RulePage, RulesPage
    from .backtests import Tried
    from .rule_forms import RuleForm

#: How far back a rule is tried before it is changed.
DAYS = 28


class RuleAdmin(PageAdmin):
    """The rules, those that come with the app included."""

    template = "qaprod/rules/list.html"

    def get_urls(self) -> list[URLPattern]:
        rule = path("rule/", self.staff_only(self.rule_view), name="qaprod_rule_rule")
        return [rule, *super().get_urls()]

    def data(self, request: HttpRequest) -> RulesPage:
        from ..dashboard import rules

        return rules.page()

    def rule_view(self, request: HttpRequest) -> HttpResponse:
        """Show the rule that ``?name=`` names; by POST, try other numbers or change them."""
        from ..dashboard import rules

        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST" and not may(request, "override", of="rule"):
            raise PermissionDenied
        data = rules.rule_page(request.GET)
        if data is None:
            context = {"title": _("No such rule"), "crumbs": self._crumbs()}
            return self.page(request, "qaprod/rules/no_rule.html", context, status=404)
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        if request.method == "POST" and "give_back" in request.POST:
            return self._given_back(request, data)
        form = self._form(data, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            if "test" not in request.POST:
                return self._saved(request, data, form)
            return self._shown(request, data, form, tried=self._tried(data, form))
        return self._shown(request, data, form)

    def _form(self, data: RulePage, posted: Any) -> RuleForm:
        from ..alerts import channels
        from .rule_forms import RuleForm

        return RuleForm(data.known, channels.names(), posted)

    def _saved(self, request: HttpRequest, data: RulePage, form: RuleForm) -> HttpResponse:
        from ..queries.rules import value_of
        from ..store import rules
        from .rule_history import Change, note

        name, who = data.known.declared.name, request.user.get_username()
        changes = list(form.changes())
        for key, value, in_code in changes:
            if in_code:
                rules.give_back(name, key, who=who)
            else:
                rules.override(name, key, value, who=who)
        before = data.known.effect
        noted = (Change(key, value_of(before, key), value, in_code) for key, value, in_code in changes)
        note(self, request, name, noted)
        if changes:
            said = _("Changed. It holds from the next look at the rule.")
            self.message_user(request, said, messages.SUCCESS)
        else:
            self.message_user(request, _("Nothing was changed."), messages.WARNING)
        return HttpResponseRedirect(self._url(name))

    def _given_back(self, request: HttpRequest, data: RulePage) -> HttpResponse:
        from ..store import rules
        from .rule_history import Change, note

        name, key = data.known.declared.name, request.POST["give_back"].replace("\x00", "")
        if rules.give_back(name, key or None, who=request.user.get_username()):
            given = (one for one in data.known.overrides.values() if key in {"", one.key})
            note(self, request, name, (Change(one.key, one.value, one.code, True) for one in given))
            self.message_user(request, _("The code’s value holds again."), messages.SUCCESS)
        else:
            self.message_user(request, _("Nothing was changed."), messages.WARNING)
        return HttpResponseRedirect(self._url(name))

    def _tried(self, data: RulePage, form: RuleForm) -> Tried:
        from . import backtests

        return backtests.tried(data.known.effect, days=DAYS, numbers=form.numbers())

    def _shown(
        self, request: HttpRequest, data: RulePage, form: RuleForm, *, tried: Tried | None = None
    ) -> HttpResponse:
        from .rule_history import changes

        alerts = (
            f"{address(self.admin_site, Alert, 'changelist')}?{urlencode({'rule': data.known.declared.name})}"
        )
        may_look = self.admin_site.is_registered(Alert) and may(request, "view", of="alert")
        context = {
            "title": words.cut(data.known.declared.name, 120),
            "page": data,
            "form": form,
            "tried": tried,
            "days": DAYS,
            "changes": changes(data.known.row),
            "may_override": may(request, "override", of="rule"),
            "alerts_url": f"{alerts}&state=all" if may_look else "",
            "latest": [
                (one, reverse("admin:qaprod_alert_detail", args=(one.pk,), current_app=self.admin_site.name))
                for one in data.latest
            ]
            if may_look
            else [],
            "runbook_url": words.link(data.known.declared.runbook),
        }
        return shown(self, request, "qaprod/rules/rule.html", context, crumbs=self._crumbs())

    def _crumbs(self) -> list[Crumb]:
        return [Crumb.of(self.admin_site, Rule)]

    def _url(self, name: str) -> str:
        base = reverse("admin:qaprod_rule_rule", current_app=self.admin_site.name)
        return f"{base}?{urlencode({'name': name})}"
