"""Who may do what: nothing is added or changed by a form, each act has a permission of its own."""

from __future__ import annotations

from django.db.models import Model
from django.http import HttpRequest

from .careful import CarefulList


class ReadOnlyAdmin(CarefulList):
    """A list and pages to look at. Who has the view or the change permission may look."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def may(request: HttpRequest, act: str, *, of: str = "failure") -> bool:
    """Whether the user may do something to failures (resolve, silence, export) or to what ``of`` names."""
    return request.user.has_perm(f"qaprod.{act}_{of}")
