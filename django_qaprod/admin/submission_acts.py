"""What people do with rescued submissions: have them replayed, or discard them."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import RescuedSubmission
from .pages import whole_number
from .submission_views import SubmissionViews

_State = RescuedSubmission.State


class SubmissionActViews(SubmissionViews):
    """The views to replay and discard one submission, and many."""

    # To replay

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a replay, by POST; what is in doubt only when it was confirmed, for which GET asks."""
        rescued = self.submission(request, object_id, "replay")
        if request.method == "POST":
            return self._replayed(request, rescued)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        return self._confirmation(request, rescued)

    def replay_failure_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the replay of all that wait because of a failure and are not in doubt, by POST."""
        from ..forms import queue
        from ..queries import submissions

        self.require(request, "replay")
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

        self.require(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        by = request.GET.get("by", "").replace("\x00", "")
        data = submissions.progress(after=max(whole_number(request.GET.get("after", "")), 0), by=by)
        context = {
            "title": _("Replays"),
            "progress": data,
            "unsuccessful": [
                {
                    "number": one.number,
                    "reference": one.reference,
                    "url": self.url("change", one.submission),
                    "done": one.done,
                    "failure_url": self.failure_url(one.done.failure),
                }
                for one in data.unsuccessful
            ],
            "only_url": self.url("change", data.only) if data.only else "",
        }
        return self.shown(request, "progress", context)

    def _replayed(self, request: HttpRequest, rescued: RescuedSubmission) -> HttpResponse:
        if rescued.state != _State.WAITING:
            return self.not_waiting(request, rescued)
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
        return self.shown(request, "replay", context, rescued)

    def _under_way(self, request: HttpRequest, asked: int, *, after: int) -> HttpResponse:
        if not asked:
            self.message_user(
                request, _("No replay was asked for: nothing of it waits without doubt."), messages.WARNING
            )
            return HttpResponseRedirect(self.url("changelist"))
        query = urlencode([("after", after), ("by", request.user.get_username())])
        return HttpResponseRedirect(f"{self.url('progress')}?{query}")

    # To discard

    def discard_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason, and by POST give the submission up."""
        rescued = self.submission(request, object_id, "discard")
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
            "back": back or self.url("changelist"),
        }
        return self.shown(request, "discard", context)
