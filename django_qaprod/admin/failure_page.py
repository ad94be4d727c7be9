"""A failure's page, its buttons and its text for a ticket.

What they show is imported when somebody looks, not at every start of the host.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from ..models import Failure, RescuedSubmission
from .careful import AdminBase
from .pages import Crumb, address, banner, row_of
from .permissions import may

_SUBMISSION = "rescuedsubmission"


class FailurePageViews(AdminBase):
    """The views of one failure: to look at it, to change its state, to copy it."""

    def page_url(self, failure: Failure, view: str = "change") -> str:
        """Return the address of one of the failure's views, in this admin site."""
        name = f"admin:qaprod_failure_{view}"
        return reverse(name, args=(failure.pk,), current_app=self.admin_site.name)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a failure. States are changed by ``state_view`` alone."""
        from ..dashboard import failure as failure_data
        from ..dashboard import ticket, words
        from .acts import SPANS

        failure = self._failure(request, object_id)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        request.current_app = self.admin_site.name
        data = failure_data.page(failure, request.GET)
        context = {
            **self.admin_site.each_context(request),
            **banner(self.admin_site, request),
            "title": words.cut(failure.error_type, 120),
            "opts": self.opts,
            "crumbs": [Crumb.of(self.admin_site, Failure)],
            "page": data,
            "failure": failure,
            "state": words.state(failure),
            "previous_page": data.occurrences.page - 1,
            "next_page": data.occurrences.page + 1,
            "text": ticket.text(failure, data.shown, data.impact, url=self._absolute(request, failure)),
            "text_url": self.page_url(failure, "text"),
            "state_url": self.page_url(failure, "state"),
            "delete_url": self.page_url(failure, "delete"),
            "may_resolve": may(request, "resolve"),
            "may_silence": may(request, "silence"),
            "may_delete": self.has_delete_permission(request, failure),
            "spans": SPANS,
            **self._kept(request, failure),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "qaprod/failure.html", context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the transitions, which are the history of a failure."""
        failure = self._failure(request, object_id)
        return HttpResponseRedirect(f"{self.page_url(failure)}#transitions")

    def state_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Change a failure's state by POST, with the permission that the act asks for."""
        from .acting import acted
        from .acts import PERMISSION, Act, ActForm

        failure = self._failure(request, object_id)
        back = self.page_url(failure)
        return acted(self, request, failure.pk, known=PERMISSION, form=ActForm, act=Act, back=back)

    def text_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Return the failure as plain text."""
        from ..dashboard import failure as failure_data
        from ..dashboard import ticket

        failure = self._failure(request, object_id)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        data = failure_data.page(failure, request.GET)
        text = ticket.text(failure, data.shown, data.impact, url=self._absolute(request, failure))
        # Never to be sniffed as HTML: the text holds what visitors sent.
        return HttpResponse(
            text, content_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"}
        )

    def _kept(self, request: HttpRequest, failure: Failure) -> dict[str, Any]:
        """Return what is kept of it, for those who may look at that."""
        from ..queries import submissions
        from ..records import REPLAY_OF

        site = self.admin_site
        may_look = may(request, "view", of=_SUBMISSION) or may(request, "change", of=_SUBMISSION)
        if not may_look or not site.is_registered(RescuedSubmission):
            return {}
        listed, view = address(site, RescuedSubmission, "changelist"), failure.name.removeprefix(REPLAY_OF)
        of_failure = urlencode({"failure": failure.fingerprint, "state": "all"})
        of_view = urlencode({"q": f'view:"{view}"', "state": "waiting"})
        kept = submissions.of_failure(failure.fingerprint)
        waits = kept.waiting or kept.in_doubt or kept.under_way
        return {
            "kept": kept,
            "kept_url": f"{listed}?{of_failure}",
            "elsewhere": 0 if waits else submissions.elsewhere(view, besides=failure.fingerprint),
            "elsewhere_url": f"{listed}?{of_view}",
            "replay_url": address(site, RescuedSubmission, "replay_failure"),
            "may_replay": may(request, "replay", of=_SUBMISSION),
        }

    def _absolute(self, request: HttpRequest, failure: Failure) -> str:
        return request.build_absolute_uri(self.page_url(failure))

    def _failure(self, request: HttpRequest, object_id: str | int) -> Failure:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return row_of(Failure, object_id, _("There is no such failure."))
