"""A rescued submission's page and what people do with it.

GET changes nothing and decrypts nothing: what was sent is the answer to a POST, behind its audit row.
What the pages show is imported when somebody looks, not at every start of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..exceptions import NoKeyError, UnreadableError
from ..models import Failure, RescuedSubmission
from .careful import AdminBase
from .pages import Crumb, banner
from .permissions import may

if TYPE_CHECKING:
    from ..sent import Submission

_State = RescuedSubmission.State
#: What the form for editing sends besides the fields: the token, the version, the button.
_BESIDES = 3


class SubmissionPageViews(AdminBase):
    """The views of one submission: to look at it, to edit, replay and discard it; and of many replays."""

    # Addresses

    def page_url(self, rescued: RescuedSubmission, view: str = "change") -> str:
        """Return the address of one of the submission's views, in this admin site."""
        return self._url(view, rescued.pk)

    def failure_url(self, failure: Failure | None) -> str:
        """Return the address of a failure's page, if this admin site has one."""
        if failure is None or not self.admin_site.is_registered(Failure):
            return ""
        return reverse("admin:qaprod_failure_change", args=(failure.pk,), current_app=self.admin_site.name)

    def _url(self, view: str, *args: object) -> str:
        name = f"admin:qaprod_rescuedsubmission_{view}"
        return reverse(name, args=args, current_app=self.admin_site.name)

    # To look

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a submission without what was sent."""
        rescued = self._submission(request, object_id)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return self._page(request, rescued, **(extra_context or {}))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the history on the submission's page."""
        rescued = self._submission(request, object_id)
        return HttpResponseRedirect(f"{self.page_url(rescued)}#history")

    def content_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what was sent, by POST, after it was stored who asked."""
        from ..dashboard import submissions

        rescued = self._submission(request, object_id, "decrypt")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        version = self._version(request, rescued)
        try:
            submission = self._opened(request, rescued, version=version)
        except (NoKeyError, UnreadableError) as error:
            return self._page(request, rescued, unreadable=_unreadable(error))
        return self._page(request, rescued, sent=submissions.shown(submission, version=version))

    def file_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hand out a file that was sent, by POST, after it was stored who asked. Never to be opened here."""
        from ..dashboard import submissions

        rescued = self._submission(request, object_id, "decrypt")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            submission = self._opened(
                request, rescued, version=self._version(request, rescued), why=submissions.TO_DOWNLOAD
            )
        except (NoKeyError, UnreadableError) as error:
            return self._page(request, rescued, unreadable=_unreadable(error))
        number = _number(request.POST.get("file", ""))
        if not 0 <= number < len(submission.files):
            _missing()
        file = submission.files[number]
        name = submissions.file_name(file.name, otherwise="file")
        return HttpResponse(
            file.content,
            content_type="application/octet-stream",
            headers={
                "Content-Disposition": content_disposition_header(True, name) or "attachment",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
            },
        )

    # To edit

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the fields as text to be corrected, and store what becomes of them as a new version."""
        from ..dashboard import submissions
        from ..forms.labels import labels_of
        from .submission_forms import EditForm

        rescued = self._submission(request, object_id, "decrypt", "edit")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if rescued.state != _State.WAITING:
            return self._not_waiting(request, rescued)
        try:
            submission = self._opened(request, rescued, version=rescued.version, why=submissions.TO_EDIT)
        except (NoKeyError, UnreadableError) as error:
            return self._page(request, rescued, unreadable=_unreadable(error))
        if refused := _uneditable(request, submission):
            self.message_user(request, refused, messages.WARNING)
            return HttpResponseRedirect(self.page_url(rescued))
        data = request.POST if "version" in request.POST else None
        form = EditForm(submission, rescued.version, data, labels=labels_of(submission))
        if not form.is_valid():
            return self._edit_page(request, rescued, form)
        if not form.has_changed():
            self.message_user(request, _("Nothing was changed, so there is no new version."))
        elif not self._stored(request, rescued, form.edited()):
            form.add_error(None, form.CONFLICT)
            return self._edit_page(request, rescued, form)
        if "replay" in request.POST and may(request, "replay", of="rescuedsubmission"):
            return self._replayed(request, rescued)
        return HttpResponseRedirect(self.page_url(rescued))

    def _stored(self, request: HttpRequest, rescued: RescuedSubmission, edited: Submission) -> bool:
        from ..store import submissions

        if not submissions.add_version(rescued, edited, by=request.user.get_username()):
            return False
        self.message_user(
            request, _("Version %(n)d is stored beside the original.") % {"n": rescued.version + 1}
        )
        return True

    # To replay

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a replay, by POST; what is in doubt only when it was confirmed, for which GET asks."""
        rescued = self._submission(request, object_id, "replay")
        if request.method == "POST":
            return self._replayed(request, rescued)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        return self._confirmation(request, rescued)

    def replay_failure_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the replay of all that wait because of a failure and are not in doubt, by POST."""
        from ..forms import queue
        from ..queries import submissions

        self._require(request, "replay")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        fingerprint, who = request.POST.get("failure", "").replace("\x00", ""), request.user.get_username()
        after = submissions.latest_act()
        asked = queue.ask_all(fingerprint, who=who) if fingerprint else 0
        return self._under_way(request, asked, after=after)

    def asked(self, request: HttpRequest, ids: list[str], *, doubtful: bool = False) -> HttpResponse:
        """Ask for the replay of submissions and lead to their progress."""
        from ..forms import queue
        from ..queries import submissions

        after = submissions.latest_act()
        asked = queue.ask(ids, who=request.user.get_username(), doubtful=doubtful) if ids else 0
        return self._under_way(request, asked, after=after)

    def progress_view(self, request: HttpRequest) -> HttpResponse:
        """Show how far the replays are that somebody has asked for."""
        from ..dashboard import submissions

        self._require(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        by = request.GET.get("by", "").replace("\x00", "")
        data = submissions.progress(after=max(_number(request.GET.get("after", "")), 0), by=by)
        context = {
            "title": _("Replays"),
            "progress": data,
            "unsuccessful": [
                {
                    "reference": one.reference,
                    "url": self._url("change", one.submission),
                    "done": one.done,
                    "failure_url": self.failure_url(one.done.failure),
                }
                for one in data.unsuccessful
            ],
            "only_url": self._url("change", data.only) if data.only else "",
        }
        return self._shown(request, "progress", context)

    def _replayed(self, request: HttpRequest, rescued: RescuedSubmission) -> HttpResponse:
        if rescued.state != _State.WAITING:
            return self._not_waiting(request, rescued)
        confirmed = request.POST.get("confirmed") == "yes"
        if rescued.in_doubt and not confirmed:
            return self._confirmation(request, rescued)
        return self.asked(request, [rescued.pk], doubtful=confirmed)

    def _confirmation(self, request: HttpRequest, rescued: RescuedSubmission) -> HttpResponse:
        from ..dashboard import submissions

        context = {
            "title": _("Replay this submission?"),
            "rescued": rescued,
            "page": submissions.page(rescued),
            "waits": rescued.state == _State.WAITING,
            "page_url": self.page_url(rescued),
            "replay_url": self.page_url(rescued, "replay"),
        }
        return self._shown(request, "replay", context, rescued)

    def _under_way(self, request: HttpRequest, asked: int, *, after: int) -> HttpResponse:
        if not asked:
            self.message_user(
                request, _("No replay was asked for: nothing of it waits without doubt."), messages.WARNING
            )
            return HttpResponseRedirect(self._url("changelist"))
        query = urlencode([("after", after), ("by", request.user.get_username())])
        return HttpResponseRedirect(f"{self._url('progress')}?{query}")

    # To discard

    def discard_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason, and by POST give the submission up."""
        rescued = self._submission(request, object_id, "discard")
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        chosen = RescuedSubmission.objects.filter(pk=rescued.pk)
        answer = self.discarding(request, chosen, {}, back=self.page_url(rescued))
        return answer or HttpResponseRedirect(self.page_url(rescued))

    def discarding(
        self,
        request: HttpRequest,
        chosen: QuerySet[RescuedSubmission],
        hidden: dict[str, list[str]],
        *,
        back: str = "",
    ) -> HttpResponse | None:
        """Return the page that asks for the reason; nothing when it was given, and they are discarded."""
        from ..sent import reference_of
        from ..store import submissions
        from .submission_forms import DiscardForm

        form = DiscardForm(request.POST if "reason" in request.POST else None)
        waiting = chosen.filter(state__in=(_State.WAITING, _State.QUEUED))
        if form.is_valid():
            ids = list(waiting.values_list("pk", flat=True))
            n = submissions.discard(ids, who=request.user.get_username(), reason=form.cleaned_data["reason"])
            said = ngettext("%(n)d submission is discarded.", "%(n)d submissions are discarded.", n)
            self.message_user(request, said % {"n": n}, messages.SUCCESS if n else messages.WARNING)
            return None
        context = {
            "title": _("Discard?"),
            "form": form,
            "hidden": [(name, value) for name, values in hidden.items() for value in values],
            "number": waiting.count(),
            "some": [reference_of(pk) for pk in waiting.values_list("pk", flat=True)[:10]],
            "back": back or self._url("changelist"),
        }
        return self._shown(request, "discard", context)

    # What they share

    def _page(self, request: HttpRequest, rescued: RescuedSubmission, **more: Any) -> HttpResponse:
        from ..dashboard import submissions

        data = submissions.page(rescued)
        acts = {act: may(request, act, of="rescuedsubmission") for act in _ACTS}
        waits = rescued.state == _State.WAITING
        context = {
            "title": _("Submission %(reference)s") % {"reference": data.reference},
            "rescued": rescued,
            "page": data,
            "failure_url": self.failure_url(data.failure),
            "history": [(done, self.failure_url(done.failure)) for done in data.history],
            "content_url": self.page_url(rescued, "content"),
            "file_url": self.page_url(rescued, "file"),
            "edit_url": self.page_url(rescued, "edit"),
            "replay_url": self.page_url(rescued, "replay"),
            "discard_url": self.page_url(rescued, "discard"),
            "may_decrypt": acts["decrypt"],
            "may_edit": acts["decrypt"] and acts["edit"] and waits,
            "may_replay": acts["replay"] and waits,
            "may_discard": acts["discard"] and rescued.state in {_State.WAITING, _State.QUEUED},
            "confirms": bool(rescued.in_doubt),
            "submission_warnings": submissions.warnings(),
            **more,
        }
        return self._shown(request, "submission", context)

    def _edit_page(self, request: HttpRequest, rescued: RescuedSubmission, form: Any) -> HttpResponse:
        context = {
            "title": _("Edit what was sent"),
            "rescued": rescued,
            "form": form,
            "edit_url": self.page_url(rescued, "edit"),
            "page_url": self.page_url(rescued),
            "may_replay": may(request, "replay", of="rescuedsubmission"),
        }
        return self._shown(request, "edit", context, rescued)

    def _shown(
        self,
        request: HttpRequest,
        template: str,
        context: dict[str, Any],
        of: RescuedSubmission | None = None,
    ) -> HttpResponse:
        from ..sent import reference_of

        request.current_app = self.admin_site.name
        crumbs = [Crumb.of(self.admin_site, RescuedSubmission)]
        if of is not None:
            crumbs.append(Crumb(reference_of(of.pk), self.page_url(of)))
        known = {
            **self.admin_site.each_context(request),
            **banner(self.admin_site, request),
            "opts": self.opts,
            "crumbs": crumbs,
        }
        return TemplateResponse(request, f"qaprod/submissions/{template}.html", {**known, **context})

    def _not_waiting(self, request: HttpRequest, rescued: RescuedSubmission) -> HttpResponse:
        self.message_user(
            request,
            _("This submission does not wait any more: it is %(state)s.")
            % {"state": rescued.get_state_display()},
            messages.WARNING,
        )
        return HttpResponseRedirect(self.page_url(rescued))

    def _opened(
        self, request: HttpRequest, rescued: RescuedSubmission, *, version: int, why: str = ""
    ) -> Submission:
        from ..store import submissions

        return submissions.opened(rescued, who=request.user.get_username(), version=version, why=why)

    def _version(self, request: HttpRequest, rescued: RescuedSubmission) -> int:
        wanted = _number(request.POST.get("version", str(rescued.version)))
        if not 1 <= wanted <= rescued.version:
            _missing()
        return wanted

    def _require(self, request: HttpRequest, *acts: str) -> None:
        allowed = (may(request, act, of="rescuedsubmission") for act in acts)
        if not self.has_view_permission(request) or not all(allowed):
            raise PermissionDenied

    def _submission(self, request: HttpRequest, object_id: str, *acts: str) -> RescuedSubmission:
        self._require(request, *acts)
        rescued = RescuedSubmission.objects.filter(pk=object_id.replace("\x00", "")).first()
        return rescued or _missing()


_ACTS = ("decrypt", "edit", "replay", "discard")


def _missing() -> NoReturn:
    raise Http404(_("There is no such submission."))


def _number(text: str) -> int:
    known = text.isascii() and text.isdigit() and len(text) < 20
    return min(int(text), 2**63 - 1) if known else -1


def _uneditable(request: HttpRequest, submission: Submission) -> str:
    """Return why somebody must not or cannot edit what was sent, nothing if they may."""
    if _is_by_staff(submission) and not getattr(request.user, "is_superuser", False):
        # A replay does whatever it says as whoever sent it.
        return _("A member of staff has sent this, so only a superuser may edit it.")
    most: int | None = django_settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    if most is not None and len(submission.fields) + _BESIDES > most:
        return _(
            "This submission has %(n)d fields, more than this site takes in one form. "
            "To edit it, set DATA_UPLOAD_MAX_NUMBER_FIELDS to %(most)d or more."
        ) % {"n": len(submission.fields), "most": len(submission.fields) + _BESIDES}
    return ""


def _is_by_staff(submission: Submission) -> bool:
    if not submission.user:
        return False
    try:
        user = get_user_model()._default_manager.filter(pk=submission.user).first()
    except (ValueError, ValidationError):
        return False
    return any(getattr(user, name, False) for name in ("is_staff", "is_superuser"))


def _unreadable(error: Exception) -> str:
    if isinstance(error, NoKeyError):
        return _('There is no key at all in QAPROD["RESCUE_KEYS"].')
    return _(
        'The key with which it was encrypted is not (any more) among QAPROD["RESCUE_KEYS"], '
        "or what is stored was changed. Put the key back behind the others, and it can be read again."
    )
