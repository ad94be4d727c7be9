"""Lists whose address anybody may have written."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
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

    def staff_only(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Return a view of ours for those alone whom this admin site lets in."""

        # As the stock views have it: what lets in is made by a request, not by each start of the host.
        def wrapper(*args: Any, **kwargs: Any) -> HttpResponse:
            return self.admin_site.admin_view(view)(*args, **kwargs)

        return update_wrapper(wrapper, view)
