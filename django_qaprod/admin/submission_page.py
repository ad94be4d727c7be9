"""A rescued submission's page, what was sent, and the form to edit that.

GET changes nothing and decrypts nothing: what was sent is the answer to a POST, behind its audit row.
What the pages show is imported when somebody looks, not at every start of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from ..exceptions import NoKeyError, UnreadableError
from ..models import RescuedSubmission
from .pages import whole_number
from .permissions import may
from .submission_acts import SubmissionActViews
from .submission_views import missing

if TYPE_CHECKING:
    from ..sent import Submission

_State = RescuedSubmission.State
#: How many fields a warning names.
_NAMED = 10
#: What the form for editing sends besides the fields: the token, the version, the button.
_BESIDES = 3


class SubmissionPageViews(SubmissionActViews):
    """The views of one submission."""

    # To look

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a submission without what was sent."""
        rescued = self.submission(request, object_id)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return self._page(request, rescued, **(extra_context or {}))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the history on the submission's page."""
        rescued = self.submission(request, object_id)
        return HttpResponseRedirect(f"{self.page_url(rescued)}#history")

    def content_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what was sent, by POST, after it was stored who asked."""
        from ..dashboard import sent
        from ..forms.labels import labels_of

        rescued = self.submission(request, object_id, "decrypt")
        if request.method != "POST":
            return self._instead(request, rescued)
        version = self._version(request, rescued)
        try:
            submission = self._opened(request, rescued, version=version)
        except (NoKeyError, UnreadableError) as error:
            return self._page(request, rescued, unreadable=_unreadable(error))
        known = {
            name: sent.Known(field.label, dict(field.choices))
            for name, field in labels_of(submission).items()
        }
        return self._page(request, rescued, sent=sent.shown(submission, version=version, known=known))

    def file_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hand out a file that was sent, by POST, after it was stored who asked. Never to be opened here."""
        from ..dashboard import sent, submissions

        rescued = self.submission(request, object_id, "decrypt")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            submission = self._opened(
                request, rescued, version=self._version(request, rescued), why=submissions.TO_DOWNLOAD
            )
        except (NoKeyError, UnreadableError) as error:
            return self._page(request, rescued, unreadable=_unreadable(error))
        number = whole_number(request.POST.get("file", ""))
        if not 0 <= number < len(submission.files):
            missing()
        file = submission.files[number]
        name = sent.file_name(file.name, otherwise="file")
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
        from .submission_fields import told_of
        from .submission_forms import EditForm

        rescued = self.submission(request, object_id, "decrypt", "edit")
        if request.method != "POST":
            return self._instead(request, rescued)
        if rescued.state != _State.WAITING:
            return self.not_waiting(request, rescued)
        try:
            submission = self._opened(request, rescued, version=rescued.version, why=submissions.TO_EDIT)
        except (NoKeyError, UnreadableError) as error:
            return self._page(request, rescued, unreadable=_unreadable(error))
        if refused := _uneditable(request, submission):
            self.message_user(request, refused, messages.WARNING)
            return HttpResponseRedirect(self.page_url(rescued))
        data = request.POST if "version" in request.POST else None
        known = labels_of(submission)
        form = EditForm(submission, rescued.version, data, labels=known, told=told_of(submission))
        if not form.is_valid():
            return self._edit_page(request, rescued, form)
        if not form.has_changed():
            self.message_user(request, _("Nothing was changed, so there is no new version."))
        elif not self._stored(request, rescued, form.edited()):
            form.add_error(None, form.CONFLICT)
            return self._edit_page(request, rescued, form)
        else:
            self._warn(
                request, [known[name].label if name in known else name for name in _refused(form.edited())]
            )
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

    def _warn(self, request: HttpRequest, refused: list[str]) -> None:
        from ..dashboard.words import cut

        # No reasons: they may repeat what was typed, and a message is kept as it is.
        if refused:
            named = ", ".join(cut(label, 60) for label in refused[:_NAMED])
            self.message_user(
                request,
                _("The form would refuse what is in: %(fields)s. It is stored all the same; Edit… says why.")
                % {"fields": named},
                messages.WARNING,
            )

    # What they share

    def _instead(self, request: HttpRequest, rescued: RescuedSubmission) -> HttpResponse:
        """Lead who reloads, or has signed in again meanwhile, back to where the button is."""
        if request.method in {"GET", "HEAD"}:
            return HttpResponseRedirect(self.page_url(rescued))
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

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
        return self.shown(request, "submission", context)

    def _edit_page(self, request: HttpRequest, rescued: RescuedSubmission, form: Any) -> HttpResponse:
        context = {
            "title": _("Edit what was sent"),
            "rescued": rescued,
            "form": form,
            "edit_url": self.page_url(rescued, "edit"),
            "page_url": self.page_url(rescued),
            "may_replay": may(request, "replay", of="rescuedsubmission"),
        }
        return self.shown(request, "edit", context, rescued)

    def _opened(
        self, request: HttpRequest, rescued: RescuedSubmission, *, version: int, why: str = ""
    ) -> Submission:
        from ..store import submissions

        return submissions.opened(rescued, who=request.user.get_username(), version=version, why=why)

    def _version(self, request: HttpRequest, rescued: RescuedSubmission) -> int:
        wanted = whole_number(request.POST.get("version", str(rescued.version)))
        if not 1 <= wanted <= rescued.version:
            missing()
        return wanted


_ACTS = ("decrypt", "edit", "replay", "discard")


def _refused(edited: Submission) -> list[str]:
    """Return the names of the fields of which the form would refuse what they hold now."""
    from .submission_fields import told_of

    return [name for name, told in told_of(edited).items() if told.refused]


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
