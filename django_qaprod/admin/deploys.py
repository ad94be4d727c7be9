"""The list of deploys. Only the note is for people to write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..dashboard import words
from ..models import Deploy
from ..templatetags.qaprod import exactly
from .careful import CarefulList


class DeployAdmin(CarefulList):
    """Releases that went live and flags that were changed: seen by themselves, or told by a command."""

    change_list_template = "qaprod/list.html"
    list_display = ("shown_release", "shown_at", "shown_note")
    list_filter = ("flag",)
    fields = ("shown_release", "shown_at", "note")
    readonly_fields = ("shown_release", "shown_at")
    ordering = ("-at",)
    search_fields = ("release", "note")
    show_full_result_count = False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": gettext("Deploys"), **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write the note alone: the release may have gone live again meanwhile."""
        obj.save(update_fields=("note",))

    @admin.display(description=_("release or flag"), ordering="release")
    def shown_release(self, deploy: Deploy) -> SafeString:
        """Return the release, or the flag's name."""
        flag = format_html(' <span class="qaprod-flag">{}</span>', gettext("flag")) if deploy.flag else ""
        return format_html("<bdi>{}</bdi>{}", words.cut(deploy.release, 100), flag)

    @admin.display(description=_("live or changed"), ordering="at")
    def shown_at(self, deploy: Deploy) -> SafeString:
        """Return when it went live, or was changed."""
        return format_html("<span>{}</span>", exactly(deploy.at))

    @admin.display(description=_("note"))
    def shown_note(self, deploy: Deploy) -> SafeString:
        """Return the note."""
        return format_html("<bdi>{}</bdi>", words.cut(deploy.note, 200))
