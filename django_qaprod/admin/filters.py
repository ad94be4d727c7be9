"""The filters beside the lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .. import clock, registry
from ..dashboard.words import cut
from ..models import Deploy, Failure

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList

# A sidebar of two thousand routes helps nobody: the search box takes ``route:``.
_MOST = 25

_Choices = Iterable[tuple[str, Any]]


class TextFilter(admin.SimpleListFilter):
    """A filter by text that anybody can write into an address: PostgreSQL refuses NUL."""

    def value(self) -> str | None:
        value = super().value()
        return value.replace("\x00", "") if value else None


class DefaultFilter(admin.SimpleListFilter):
    """A filter of which one of the choices holds unless another is asked for."""

    parameter_name = "state"
    default = ""

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        chosen = self.chosen()
        for value, label in self.lookup_choices:
            yield {
                "selected": value == chosen,
                "query_string": changelist.get_query_string({self.parameter_name: str(value)}),
                "display": label,
            }

    def chosen(self) -> str:
        """Return which of the choices holds."""
        value = self.value()
        known = {choice for choice, _label in self.lookup_choices}
        return value if value is not None and value in known else self.default


class StateFilter(admin.SimpleListFilter):
    """Open failures, unless another state is asked for, here or in the search box."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        return [*Failure.State.choices, ("all", _("All"))]

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        chosen = self._chosen(changelist.query)
        for value, label in self.lookup_choices:
            yield {
                "selected": value == chosen,
                "query_string": changelist.get_query_string({self.parameter_name: str(value)}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        chosen = self._chosen(request.GET.get("q", ""))
        return queryset if chosen == "all" else queryset.filter(state=chosen)

    def _chosen(self, query: str) -> str:
        value = self.value()
        if value in {"all", *Failure.State.values}:
            return str(value)
        # Not at every start of the host.
        from . import search

        return "all" if search.names_a_state(query) else Failure.State.OPEN


class JourneyFilter(TextFilter):
    """Failures of a journey that is declared."""

    title = _("journey")
    parameter_name = "journey"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        return [(spec.name, cut(spec.title, 60)) for spec in registry.journeys()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(journey=value) if value else queryset


class RouteFilter(TextFilter):
    """Failures of one of the routes on which something is open."""

    title = _("route")
    parameter_name = "route"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        opened = Failure.objects.filter(state=Failure.State.OPEN).exclude(route="")
        routes = list(opened.order_by("-priority", "-last_seen").values_list("route", flat=True)[: 8 * _MOST])
        chosen = request.GET.get(self.parameter_name)
        return [
            (route, cut(route, 60))
            for route in sorted({*list(dict.fromkeys(routes))[:_MOST], *([chosen] if chosen else [])})
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(route=value) if value else queryset


class ReleaseFilter(TextFilter):
    """Failures that were seen first or last in one of the latest releases."""

    title = _("release")
    parameter_name = "release"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        releases = Deploy.objects.filter(flag=False).order_by("-at").values_list("release", flat=True)[:_MOST]
        return [(release, cut(release, 40)) for release in releases]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(Q(last_release=value) | Q(first_release=value)) if value else queryset


class SinceFilter(admin.SimpleListFilter):
    """What was seen since a time."""

    title = _("seen since")
    parameter_name = "since"
    column = "last_seen"
    default = ""

    _spans: ClassVar[dict[str, timedelta]] = {
        "1h": timedelta(hours=1),
        "24h": timedelta(hours=24),
        "7d": timedelta(days=7),
        "28d": timedelta(days=28),
    }

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        return [
            ("1h", _("the last hour")),
            ("today", _("today")),
            ("24h", _("the last 24 hours")),
            ("7d", _("the last 7 days")),
            ("28d", _("the last 28 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        since = self.since()
        return queryset if since is None else queryset.filter(**{f"{self.column}__gte": since})

    def since(self) -> datetime | None:
        """Return the time that is chosen, ``None`` for any."""
        value = self.value() or self.default
        if value == "today":
            from ..queries.window import Window

            return Window.today().start
        span = self._spans.get(value)
        return clock.now() - span if span else None


class EventSinceFilter(SinceFilter):
    """Events of the last days: a list costs what its window costs, and asks for more only when told to."""

    title = _("taken since")
    column = "at"
    default = "7d"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        return [*super().lookups(request, model_admin), ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        from ..records import first_id

        found, since = super().queryset(request, queryset), self.since()
        # Nothing is recorded before it is taken, and the ids, of the time of recording, are the list's order.
        return found if since is None else found.filter(pk__gte=first_id(clock.epoch(since)))

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        chosen = self.value() or self.default
        for value, label in self.lookup_choices:
            yield {
                "selected": value == chosen,
                "query_string": changelist.get_query_string({self.parameter_name: str(value)}),
                "display": label,
            }


class StepFilter(TextFilter):
    """Events of a step of the journey that is chosen."""

    title = _("step")
    parameter_name = "step"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        journey = request.GET.get(JourneyFilter.parameter_name)
        return [
            (step.name, cut(step.title, 60))
            for spec in registry.journeys()
            if spec.name == journey
            for step in spec.steps
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(step=value) if value else queryset
