"""What all views of rescued submissions share: addresses, permissions, the frame of their pages."""

from __future__ import annotations

from typing import Any, NoReturn

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from ..models import Failure, RescuedSubmission
from .careful import AdminBase
from .pages import Crumb, banner
from .permissions import may


class SubmissionViews(AdminBase):
    """The base of the views of submissions."""

    def page_url(self, rescued: RescuedSubmission, view: str = "change") -> str:
        """Return the address of one of the submission's views, in this admin site."""
        return self.url(view, rescued.pk)

    def failure_url(self, failure: Failure | None) -> str:
        """Return the address of a failure's page, if this admin site has one."""
        if failure is None or not self.admin_site.is_registered(Failure):
            return ""
        return reverse("admin:qaprod_failure_change", args=(failure.pk,), current_app=self.admin_site.name)

    def url(self, view: str, *args: object) -> str:
        """Return the address of a view of submissions, in this admin site."""
        name = f"admin:qaprod_rescuedsubmission_{view}"
        return reverse(name, args=args, current_app=self.admin_site.name)

    def shown(
        self,
        request: HttpRequest,
        template: str,
        context: dict[str, Any],
        of: RescuedSubmission | None = None,
    ) -> HttpResponse:
        """Return a page of submissions; ``of`` is the one to whose page the crumbs lead back."""
        from ..sent import reference_of

        request.current_app = self.admin_site.name
        crumbs = [Crumb.of(self.admin_site, RescuedSubmission)]
        if of is not None:
            crumbs.append(Crumb(title=reference_of(of.pk), url=self.page_url(of)))
        known = {
            **self.admin_site.each_context(request),
            **banner(self.admin_site, request),
            "opts": self.opts,
            "crumbs": crumbs,
        }
        return TemplateResponse(request, f"qaprod/submissions/{template}.html", {**known, **context})

    def not_waiting(self, request: HttpRequest, rescued: RescuedSubmission) -> HttpResponse:
        """Lead back to the page of a submission that cannot be changed any more."""
        self.message_user(
            request,
            _("This submission does not wait any more: it is %(state)s.")
            % {"state": rescued.get_state_display()},
            messages.WARNING,
        )
        return HttpResponseRedirect(self.page_url(rescued))

    def require(self, request: HttpRequest, *acts: str) -> None:
        """Raise ``PermissionDenied`` for whoever may not look, or not do these acts."""
        allowed = (may(request, act, of="rescuedsubmission") for act in acts)
        if not self.has_view_permission(request) or not all(allowed):
            raise PermissionDenied

    def submission(self, request: HttpRequest, object_id: str, *acts: str) -> RescuedSubmission:
        """Return a submission for who may look at it and do these acts."""
        self.require(request, *acts)
        rescued = RescuedSubmission.objects.filter(pk=object_id.replace("\x00", "")).first()
        return rescued or missing()


def missing() -> NoReturn:
    """Answer that there is no such submission."""
    raise Http404(_("There is no such submission."))
