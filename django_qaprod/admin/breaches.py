"""The list of breaches, a breach's page, and what people do with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import registry
from ..dashboard import words
from ..models import Breach, Failure
from ..templatetags.qaprod import ago
from .filters import JourneyFilter, TextFilter
from .pages import Crumb, outside_transactions, row_of, shown
from .permissions import ReadOnlyAdmin, may

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList

_State = Breach.State
_ALL = "all"


class StateFilter(admin.SimpleListFilter):
    """Open breaches, unless others are asked for."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        return [*_State.choices, (_ALL, _("All"))]

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        for value, label in self.lookup_choices:
            yield {
                "selected": value == self._chosen(),
                "query_string": changelist.get_query_string({self.parameter_name: str(value)}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        chosen = self._chosen()
        return queryset if chosen == _ALL else queryset.filter(state=chosen)

    def _chosen(self) -> str:
        value = self.value()
        return str(value) if value in {_ALL, *_State.values} else str(_State.OPEN)


class ExpectationFilter(TextFilter):
    """Breaches of an expectation that is declared."""

    title = _("expectation")
    parameter_name = "expectation"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        return [(spec.name, words.cut(spec.name, 60)) for spec in registry.expectations()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(expectation=value) if value else queryset


class BreachAdmin(ReadOnlyAdmin):
    """Breaches, the longest overdue first. To repair and to dismiss have permissions of their own."""

    change_list_template = "qaprod/breaches/list.html"
    list_display = ("shown_subject", "shown_expectation", "shown_late", "shown_state")
    list_display_links = None
    list_filter = (StateFilter, ExpectationFilter, JourneyFilter)
    list_per_page = 50
    sortable_by = ()
    ordering = ("due_at", "pk")
    search_fields = ("subject",)
    search_help_text = _("The key of a subject, as a whole.")
    show_full_result_count = False
    actions = ("dismiss",)

    def get_urls(self) -> list[URLPattern]:
        view = self.staff_only
        return [
            path("<str:object_id>/repair/", view(self.repair_view), name="qaprod_breach_repair"),
            path("<str:object_id>/dismiss/", view(self.dismiss_view), name="qaprod_breach_dismiss"),
            *super().get_urls(),
        ]

    def has_dismiss_permission(self, request: HttpRequest) -> bool:
        """Whether the user may dismiss."""
        return may(request, "dismiss", of="breach")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": gettext("Breaches"), "declared": bool(registry.expectations())}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().replace("\x00", "")
        return (queryset.filter(subject=term) if term else queryset), False

    # The columns

    @admin.display(description=_("subject"))
    def shown_subject(self, breach: Breach) -> SafeString:
        """Return whose it is, leading to its page."""
        return format_html(
            '<a class="qaprod-title" href="{}"><bdi>{}</bdi></a><bdi class="qaprod-quiet">{}</bdi>',
            self._url("change", breach.pk),
            words.cut(breach.subject, 90) or words.NOTHING,
            words.cut(f"{breach.journey}.{breach.step}", 90),
        )

    @admin.display(description=_("expectation"))
    def shown_expectation(self, breach: Breach) -> SafeString:
        """Return what was expected, and how it was not met."""
        kind = breach.get_kind_display()
        return format_html(
            '<bdi>{}</bdi><span class="qaprod-quiet">{}</span>', words.cut(breach.expectation, 90), kind
        )

    @admin.display(description=_("due"))
    def shown_late(self, breach: Breach) -> SafeString:
        """Return when it was due, and how late that is or was."""
        from ..dashboard import breaches

        late = breaches.late(breach)
        told = gettext("%(long)s late") % {"long": late} if late else ""
        return format_html('{}<span class="qaprod-quiet">{}</span>', ago(breach.due_at), told)

    @admin.display(description=_("state"))
    def shown_state(self, breach: Breach) -> SafeString:
        """Return its state, and how often the worker has tried to repair it."""
        tried = ngettext("%(n)s try by itself", "%(n)s tries by itself", breach.tries)
        return format_html(
            '<span class="qaprod-state qaprod-{}">{}</span><span class="qaprod-quiet">{}</span>',
            breach.state,
            breach.get_state_display(),
            tried % {"n": words.number(breach.tries)} if breach.tries else "",
        )

    # The pages

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a breach."""
        from ..dashboard import breaches

        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        breach = self._breach(object_id)
        data = breaches.page(breach)
        waits = breach.state == _State.OPEN
        context = {
            "title": gettext("Breach of %(name)s") % {"name": words.cut(breach.expectation, 90)},
            "page": data,
            "failures": self._failures(request, data.failures),
            "may_see_failures": request.user.has_perm("qaprod.view_failure"),
            "repair_url": self._url("repair", breach.pk),
            "dismiss_url": self._url("dismiss", breach.pk),
            "may_repair": data.repairable and may(request, "repair", of="breach"),
            "may_dismiss": waits and may(request, "dismiss", of="breach"),
        }
        return self._shown(request, "breach", breach, context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the page, which has its history."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(self._url("change", self._breach(object_id).pk))

    @outside_transactions
    def repair_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show, by POST, what the repair would do; by a POST that confirms it, have it done."""
        from ..dashboard import breaches as dashboard
        from ..expectations import repairing

        self._require(request, "repair")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        breach = self._breach(object_id)
        spec = repairing.of(breach.expectation)
        if not dashboard.page(breach).repairable or spec is None:
            self.message_user(request, gettext("It cannot be repaired any more."), messages.WARNING)
            return HttpResponseRedirect(self._url("change", breach.pk))
        confirmed = request.POST.get("confirmed") == "yes"
        tried = repairing.repair(spec, breach, who=request.user.get_username(), dry_run=not confirmed)
        if not confirmed:
            context = {
                "title": gettext("Repair?"),
                "tried": tried,
                "repair_url": self._url("repair", breach.pk),
                "back": self._url("change", breach.pk),
            }
            return self._shown(request, "repair", breach, context)
        told = words.cut(tried.words, 200) or gettext("It says nothing of what it did.")
        self.message_user(request, told, messages.ERROR if tried.failed else messages.SUCCESS)
        return HttpResponseRedirect(self._url("change", breach.pk))

    def dismiss_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason, and by POST close the breach."""
        self._require(request, "dismiss")
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        breach = self._breach(object_id)
        back = self._url("change", breach.pk)
        ids = [breach.pk] if breach.state == _State.OPEN else []
        return self._dismissing(request, ids, {}, back=back) or HttpResponseRedirect(back)

    @admin.action(description=_("Dismiss…"), permissions=["dismiss"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask for the reason, then close those that are open."""
        chosen = {
            admin.helpers.ACTION_CHECKBOX_NAME: request.POST.getlist(admin.helpers.ACTION_CHECKBOX_NAME),
            "action": ["dismiss"],
            "select_across": [request.POST.get("select_across", "0")],
            "index": ["0"],
        }
        ids = list(queryset.filter(state=_State.OPEN).values_list("pk", flat=True))
        return self._dismissing(request, ids, chosen, back=self._url("changelist"))

    def _dismissing(
        self, request: HttpRequest, ids: list[int], hidden: dict[str, list[str]], *, back: str
    ) -> HttpResponse | None:
        from ..store import breaches

        why = request.POST.get("why", "").strip()
        if request.method == "POST" and why:
            n = breaches.dismiss(ids, who=request.user.get_username(), why=why)
            said = ngettext("%(n)d breach is dismissed.", "%(n)d breaches are dismissed.", n) % {"n": n}
            self.message_user(request, said, messages.SUCCESS if n else messages.WARNING)
            return None
        context = {
            "title": gettext("Dismiss?"),
            "number": len(ids),
            "missing": "why" in request.POST,
            "hidden": [(name, value) for name, values in hidden.items() for value in values],
            "back": back,
        }
        return self._shown(request, "dismiss", None, context)

    # What they share

    def _shown(
        self, request: HttpRequest, template: str, breach: Breach | None, context: dict[str, Any]
    ) -> HttpResponse:
        crumbs = [Crumb.of(self.admin_site, Breach)]
        if breach is not None and template != "breach":
            crumbs.append(Crumb(title=words.cut(breach.subject, 60), url=self._url("change", breach.pk)))
        context = {"breach": breach, **context}
        return shown(self, request, f"qaprod/breaches/{template}.html", context, crumbs=crumbs)

    def _url(self, view: str, *args: object) -> str:
        return reverse(f"admin:qaprod_breach_{view}", args=args, current_app=self.admin_site.name)

    def _failures(self, request: HttpRequest, found: Iterable[Failure]) -> list[tuple[Failure, str]]:
        if not request.user.has_perm("qaprod.view_failure"):
            return []
        known, site = self.admin_site.is_registered(Failure), self.admin_site.name
        name = "admin:qaprod_failure_change"
        return [(one, reverse(name, args=(one.pk,), current_app=site) if known else "") for one in found]

    def _breach(self, object_id: str) -> Breach:
        return row_of(Breach, object_id, gettext("There is no such breach."))

    def _require(self, request: HttpRequest, act: str) -> None:
        if not self.has_view_permission(request) or not may(request, act, of="breach"):
            raise PermissionDenied
