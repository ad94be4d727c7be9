"""Lists whose address anybody may have written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    AdminBase = admin.ModelAdmin[Any]
else:
    AdminBase = admin.ModelAdmin


class CarefulList(AdminBase):
    """A list that takes NUL out of its address: PostgreSQL refuses it, and the stock filters hand it on."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if any("\x00" in value for _name, values in request.GET.lists() for value in values):
            given = request.GET.copy()
            # The search box refuses it itself, and says so.
            for name in given.keys() - {"q"}:
                given.setlist(name, [value.replace("\x00", "") for value in given.getlist(name)])
            request.GET = given  # type: ignore[assignment]
        return super().changelist_view(request, extra_context)
