"""A replay: through the host's whole handler, as who sent it, with one effect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished, request_started
from django.db import OperationalError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.test import Client
from django.urls import get_urlconf
from django.utils import timezone, translation

from django_qaprod import Journey, Step, registry
from django_qaprod.forms import queue, replaying, transactions
from django_qaprod.forms.replaying import replay
from django_qaprod.forms.signals import submission_replayed
from django_qaprod.models import Deploy, RescuedSubmission, SubmissionAct
from django_qaprod.store import replays
from django_qaprod.testing import Records
from tests.project.shop.models import Order
from tests.recorded import records as records

from . import replay_host as host
from .kept import sent, stored

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)
State = RescuedSubmission.State


@pytest.fixture(autouse=True)
def _site(keys: object, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.QAPROD = {**settings.QAPROD, "RERAISE": False}
    settings.ROOT_URLCONF = "tests.forms.replay_host"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.forms.replay_host.middleware"]
    monkeypatch.setattr(queue, "_state", queue._State())
    host.seen.clear()
    host.behave.clear()
    yield
    host.behave.clear()


@pytest.fixture
def journeys() -> Iterator[Any]:
    with registry.isolated():

        class Ordering(Journey):
            name = "ordering"
            placed = Step()

        yield Ordering


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def post(client: Client | None = None, path: str = "/order/", **data: Any) -> RescuedSubmission:
    """A visitor sends a form whose view fails; what was kept of it. From now on the view works."""
    host.behave["before"], before = ValueError("a bug"), list(RescuedSubmission.objects.values_list("pk"))
    answer = (client or Client()).post(path, {"number": "N-1", **data}, secure=True)
    assert answer.status_code == 202, answer.content
    host.behave.clear()
    host.seen.clear()
    return RescuedSubmission.objects.exclude(pk__in=[pk for (pk,) in before]).get()


def run(pk: str, *, doubtful: bool = False) -> Any:
    assert replays.ask([pk], who="staff", doubtful=doubtful) == 1
    outcome = replay(pk)
    assert outcome is not None
    return outcome


def state(pk: str) -> str:
    return RescuedSubmission.objects.get(pk=pk).state


def act() -> SubmissionAct:
    return SubmissionAct.objects.filter(act="replayed").latest("pk")


def test_the_view_does_what_it_would_have_done(records: Records) -> None:
    kept = post()
    assert run(kept.pk).outcome == "succeeded"
    assert [order.number for order in Order.objects.all()] == ["N-1"]
    assert state(kept.pk) == State.REPLAYED
    assert (act().outcome, act().status, act().who, act().attempt) == ("succeeded", 302, "staff", 1)
    assert act().request_id


def test_the_request_says_that_it_is_a_replay(records: Records) -> None:
    kept = post()
    run(kept.pk)
    [request] = host.seen
    found = request.qaprod_replay
    assert (found.id, found.key, found.at) == (kept.pk, kept.key, kept.at)
    assert (found.attempt, found.who) == (1, "staff")


def test_it_is_sent_as_the_visitor_sent_it(records: Records, ada: User, settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), ("nl", "Nederlands")]
    client = Client(headers={"accept-language": "nl", "host": "localhost:8443"})
    client.force_login(ada)
    kept = post(client, "/order/?from=mail", number="Zoë & co")
    run(kept.pk)
    [request] = host.seen
    assert request.user == ada
    assert request.get_full_path() == "/order/?from=mail"
    assert request.get_host() == "localhost:8443"
    assert request.is_secure()
    assert request.POST["number"] == "Zoë & co"
    assert request.LANGUAGE_CODE == "nl"


def test_no_middleware_s_look_at_the_view_comes_before_the_visitor(
    records: Records, ada: User, settings: Any
) -> None:
    client = Client()
    client.force_login(ada)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.forms.replay_host.Quota"]
    kept = post(client)
    assert run(kept.pk).outcome == "succeeded"
    assert host.seen[0].quota == "ada"
    assert host.seen[0].session["seen"]


def test_the_request_begins_and_ends_as_a_server_s_does(records: Records) -> None:
    kept, heard = post(), []

    def hear(sender: Any, signal: Any, **kwargs: Any) -> None:
        heard.append("began" if signal is request_started else "ended")

    for signal in (request_started, request_finished):
        signal.connect(hear)
    try:
        run(kept.pk)
    finally:
        for signal in (request_started, request_finished):
            signal.disconnect(hear)
    assert heard == ["began", "ended"]


def test_only_the_session_keys_that_were_asked_for_come_back(records: Records) -> None:
    client = Client()
    session = client.session
    session["basket"], session["secret"] = [1, 2], "x"
    session.save()
    kept = post(client)
    before = Session.objects.count()
    run(kept.pk)
    assert dict(host.seen[0].session) == {"basket": [1, 2], "made": "yes"}
    assert Session.objects.count() == before
    assert "made" not in client.session


def test_middleware_that_asks_early_sees_the_visitor(records: Records, ada: User) -> None:
    client = Client()
    client.force_login(ada)
    kept = post(client)
    host.behave["early"] = True
    run(kept.pk)
    assert host.seen[0].early_user == "ada"


def test_a_superuser_who_acts_as_somebody_else_is_that_somebody_again(
    records: Records, ada: User, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.forms.replay_host.impersonate"]
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    session = client.session
    session["as"] = ada.pk
    session.save()
    kept = post(client)
    assert kept.user == str(ada.pk)
    assert records.failures[0].user == str(ada.pk)
    run(kept.pk)
    assert host.seen[0].user == ada


@pytest.mark.parametrize("change", [{"is_active": False}, None])
def test_who_may_not_sign_in_any_more_does_nothing(
    records: Records, ada: User, change: dict[str, Any] | None
) -> None:
    client = Client()
    client.force_login(ada)
    kept = post(client)
    if change is None:
        ada.delete()
    else:
        User.objects.update(**change)
    assert run(kept.pk).outcome == "refused"
    assert host.seen == []
    assert state(kept.pk) == State.WAITING
    assert "deactivated" in act().why


def test_who_was_deactivated_does_nothing_whatever_signs_in(
    records: Records, ada: User, settings: Any
) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    client = Client()
    client.force_login(ada)
    kept = post(client)
    User.objects.update(is_active=False)
    assert run(kept.pk).outcome == "refused"


def test_nobody_known_is_replayed_only_if_a_person_says_so(records: Records) -> None:
    pk = stored(submission=sent(user="", user_unknown=True, path="/order/", fields=(("number", "N-1"),)))
    assert run(pk).outcome == "refused"
    assert RescuedSubmission.objects.get().in_doubt == "visitor"
    assert replays.ask([pk], who="staff") == 0
    assert run(pk, doubtful=True).outcome == "succeeded"
    assert host.seen[0].user.is_anonymous


def test_who_confirms_another_doubt_is_asked_about_the_visitor_as_well(records: Records) -> None:
    unknown = sent(user="", user_unknown=True, path="/order/", fields=(("number", "N-1"),))
    pk = stored(submission=unknown, in_doubt="commit")
    assert run(pk, doubtful=True).outcome == "refused"
    assert RescuedSubmission.objects.get().in_doubt == "visitor"
    assert run(pk, doubtful=True).outcome == "succeeded"


def test_what_cannot_be_read_waits_and_says_so(records: Records, settings: Any) -> None:
    kept = post()
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": []}
    assert run(kept.pk).outcome == "failed"
    assert act().why
    assert state(kept.pk) == State.WAITING


def test_a_view_that_fails_again_is_an_attempt_with_its_failure(records: Records) -> None:
    kept = post()
    host.behave["after"] = ValueError("another bug")
    outcome = run(kept.pk)
    [failure] = [one for one in records.failures if "another bug" in one.message]
    assert (outcome.outcome, outcome.status, outcome.failure) == ("failed", 500, failure.fingerprint)
    assert (act().failure, act().request_id) == (failure.fingerprint, failure.request_id)
    assert Order.objects.count() == 0
    found = RescuedSubmission.objects.get()
    assert (found.state, found.attempts, found.in_doubt) == (State.WAITING, 1, "")
    assert (failure.kind, failure.name) == ("replay", f"replay of {kept.name}")
    assert (failure.critical, failure.severity) == (False, "error")


def test_a_replay_is_no_visitor_s_request(records: Records) -> None:
    kept = post()
    assert [dict(cell.attributes)["http.request.method"] for cell in records.requests] == ["POST"]
    assert run(kept.pk).outcome == "succeeded"
    assert len(records.requests) == 1


def test_what_the_form_cannot_be_given_does_not_keep_the_view_from_its_database(records: Records) -> None:
    kept = post()
    host.behave["initial"] = OperationalError("a table is locked")
    assert run(kept.pk).outcome == "succeeded"
    assert Order.objects.count() == 1


def test_words_that_were_sent_are_in_no_attempt(records: Records) -> None:
    kept = post(number="salary 85000")
    host.behave["after"] = lambda request: int(request.POST["number"])
    run(kept.pk)
    assert (act().why, act().failure) == ("ValueError", records.failures[-1].fingerprint)


def test_it_is_not_kept_once_more_nor_tried_by_itself(records: Records) -> None:
    kept = post()
    host.behave["before"] = ValueError("still")
    run(kept.pk)
    assert RescuedSubmission.objects.count() == 1
    assert queue.work() == 0
    assert RescuedSubmission.objects.get().attempts == 1


def test_one_that_fails_does_not_block_the_others(records: Records) -> None:
    kept = [post(number=f"N-{i}") for i in range(3)]
    host.behave["after"] = lambda request: request.POST["number"] == "N-1" and 1 / 0
    assert replays.ask([one.pk for one in kept], who="staff") == 3
    assert queue.work() == 3
    assert [state(one.pk) for one in kept] == [State.REPLAYED, State.WAITING, State.REPLAYED]


@pytest.mark.parametrize(
    ("answer", "valid", "outcome"),
    [
        (lambda: HttpResponseRedirect("/thanks/"), True, "succeeded"),
        (lambda: HttpResponseRedirect("/accounts/login/?next=/"), True, "refused"),
        (lambda: HttpResponse("thanks"), True, "succeeded"),
        (lambda: HttpResponse("errors"), False, "refused"),
        # A handled refusal: the form once more, with what the view has against it.
        (lambda: HttpResponse("<input name='number'> Sold out"), True, "refused"),
        (lambda: HttpResponse('<input name="number">', content_type="text/html"), True, "refused"),
        (lambda: HttpResponse('<input name="q"> thanks'), True, "succeeded"),
        (lambda: HttpResponse(b'name="number"', content_type="text/plain"), True, "succeeded"),
        (lambda: HttpResponseRedirect("/order/"), True, "refused"),
        (lambda: HttpResponseRedirect("?again"), True, "refused"),
        (lambda: HttpResponseRedirect("/members/?next=/order/"), True, "refused"),
        (lambda: HttpResponse(status=404), True, "failed"),
        (lambda: HttpResponse(status=500), True, "failed"),
        (lambda: StreamingHttpResponse(iter([b"a", b"b"])), True, "succeeded"),
    ],
)
def test_success_is_what_the_answer_says(
    records: Records, answer: Callable[[], Any], valid: bool, outcome: str
) -> None:
    kept = (
        post()
        if valid
        else RescuedSubmission.objects.get(
            pk=stored(submission=sent(user="", path="/order/", fields=(("number", ""),)))
        )
    )
    host.behave["answer"] = answer
    host.behave["save"] = True
    assert run(kept.pk).outcome == outcome
    succeeded = outcome == "succeeded"
    assert state(kept.pk) == (State.REPLAYED if succeeded else State.WAITING)
    assert Order.objects.count() == succeeded


@pytest.mark.parametrize(
    "answer", [lambda: HttpResponse("<input name='number'>"), lambda: HttpResponseRedirect("/order/")]
)
@pytest.mark.parametrize(("taken", "outcome"), [(True, "succeeded"), (False, "refused")])
def test_a_view_that_says_so_is_believed(
    records: Records, answer: Callable[[], Any], taken: bool, outcome: str
) -> None:
    kept = post()
    host.behave.update(answer=answer, taken=taken)
    assert run(kept.pk).outcome == outcome
    assert Order.objects.count() == taken


def test_a_view_that_tells_of_an_error_has_refused_it(records: Records) -> None:
    kept = post()
    host.behave["after"] = lambda request: messages.error(request, "The payment provider is down.")
    assert run(kept.pk).outcome == "refused"
    assert "error" in act().why
    assert Order.objects.count() == 0


@pytest.mark.parametrize("taken", [True, None])
@pytest.mark.parametrize("path", ["/order/", "/loose/"])
def test_what_the_visitor_sends_again_meanwhile_has_one_effect(
    records: Records, path: str, taken: bool | None
) -> None:
    visitor = Client()
    kept = post(visitor, path, csrfmiddlewaretoken="t" * 64)
    host.behave["short"] = lambda request: hasattr(request, "qaprod_replay") and again()

    def again() -> None:
        host.behave.clear()
        if taken:
            host.behave["taken"] = True
        thread = threading.Thread(target=lambda: (send(), connections.close_all()))
        thread.start()
        thread.join()

    def send() -> None:
        sent = {"number": "N-1", "csrfmiddlewaretoken": "t" * 64}
        assert visitor.post(path, sent, secure=True).status_code == 302

    replays.ask([kept.pk], who="staff", doubtful=True)
    outcome = replay(kept.pk)
    assert outcome is not None
    found = RescuedSubmission.objects.get()
    if path == "/order/":
        assert outcome.outcome == "interrupted"
        assert Order.objects.count() == 1
        assert (found.state, found.in_doubt) == (("discarded", "") if taken else ("waiting", "resent"))
    else:
        # What nothing takes back is told.
        assert (found.state, found.in_doubt) == ("replayed", "resent")


def test_a_step_of_the_journey_says_that_it_was_taken(records: Records, journeys: Any) -> None:
    pk = stored(submission=sent(user="", path="/order/", fields=(("number", ""),)), journey="ordering")
    host.behave.update(save=True, answer=lambda: (journeys.placed.record("s"), HttpResponse("thanks"))[1])
    assert run(pk).outcome == "succeeded"


def test_a_step_carries_the_original_time(records: Records, journeys: Any) -> None:
    kept = post()
    host.behave["answer"] = lambda: (journeys.placed.record("s"), HttpResponseRedirect("/thanks/"))[1]
    earlier = kept.at - timedelta(days=3)
    RescuedSubmission.objects.update(at=earlier)
    run(kept.pk)
    [event] = records.events
    assert event.at == pytest.approx(earlier.timestamp())


def test_a_step_counts_as_of_the_browser_that_sent_it(records: Records, journeys: Any) -> None:
    safari = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"
    kept = post(Client(headers={"user-agent": safari}))
    host.behave["answer"] = lambda: (journeys.placed.record("s"), HttpResponseRedirect("/thanks/"))[1]
    run(kept.pk)
    [event] = records.events
    assert event.browser == "Safari"
    assert "HTTP_USER_AGENT" not in host.seen[0].META


def test_a_view_that_is_not_reached_has_taken_nothing(records: Records, settings: Any) -> None:
    kept = post()
    host.behave["short"] = lambda request: HttpResponseRedirect("/maintenance/")
    assert run(kept.pk).outcome == "refused"
    assert state(kept.pk) == State.WAITING
    assert "not reached" in act().why


def test_a_middleware_that_fails_is_a_failed_attempt(records: Records) -> None:
    kept = post()
    host.behave["short"] = lambda request: 1 / 0
    outcome = run(kept.pk)
    assert (outcome.outcome, outcome.status) == ("failed", 500)
    assert act().request_id == records.failures[-1].request_id


def test_a_view_that_does_not_use_serve_form_any_more_is_not_run(records: Records) -> None:
    pk = stored(submission=sent(user="", path="/thanks/"))
    assert run(pk).outcome == "refused"
    assert "serve_form" in act().why


def test_the_csrf_check_is_off_for_the_replay_alone(records: Records) -> None:
    kept = post(path="/checked/")
    assert run(kept.pk).outcome == "succeeded"
    assert Client(enforce_csrf_checks=True).post("/checked/", {"number": "N"}).status_code == 403


def test_files_come_with_their_names_and_types(records: Records) -> None:
    name = 'Ünï "x"; filename=evil.exe & 漢字.pdf'
    letter = SimpleUploadedFile(name, b"\r\n--x\x00\xff", "application/pdf")
    kept = post(path="/upload/", title="T", letter=letter)
    run(kept.pk)
    assert host.seen[0].read_files == [(name, "application/pdf", b"\r\n--x\x00\xff")]


def test_nothing_is_left_behind_in_the_thread(records: Records, settings: Any) -> None:
    kept = post()
    host.behave["answer"] = lambda: (
        translation.activate("nl"), timezone.activate("Asia/Tokyo"), HttpResponseRedirect("/thanks/")
    )[2]  # fmt: skip
    before = translation.get_language(), timezone.get_current_timezone_name(), get_urlconf()
    run(kept.pk)
    assert (translation.get_language(), timezone.get_current_timezone_name(), get_urlconf()) == before


def test_after_a_deploy_a_failure_calls_the_others_off(records: Records, settings: Any) -> None:
    settings.QAPROD = {**settings.QAPROD, "RELEASE": "1"}
    for i in range(3):
        post(number=f"N-{i}")
    RescuedSubmission.objects.update(healing="after_deploy")
    settings.QAPROD = {**settings.QAPROD, "RELEASE": "2"}
    Deploy.objects.create(release="2", at=timezone.now() + timedelta(seconds=1))
    replays.ask(RescuedSubmission.objects.values_list("pk", flat=True), who=replays.healer("2"))
    host.behave["before"] = ValueError("not healed")
    assert queue.work() == 1
    rows = RescuedSubmission.objects.order_by("pk").values_list("state", "attempts")
    assert list(rows) == [(State.WAITING, 1), (State.WAITING, 0), (State.WAITING, 0)]


def test_the_host_hears_of_it_once_it_has_taken_effect(records: Records) -> None:
    kept, heard = post(), []

    def hear(sender: str, rescued: RescuedSubmission, response: HttpResponse, **kwargs: Any) -> None:
        heard.append((sender, rescued.pk, rescued.state, response.status_code))

    submission_replayed.connect(hear)
    try:
        host.behave["before"] = ValueError("no")
        run(kept.pk)
        host.behave.clear()
        run(kept.pk)
    finally:
        submission_replayed.disconnect(hear)
    assert heard == [(kept.name, kept.pk, State.REPLAYED, 302)]


def test_in_doubt_it_is_replayed_by_a_person_alone(records: Records) -> None:
    kept = post()
    RescuedSubmission.objects.update(in_doubt="commit")
    assert replays.ask([kept.pk], who="staff") == replays.ask_all(kept.failure, who="staff") == 0
    assert run(kept.pk, doubtful=True).outcome == "succeeded"


def test_all_of_a_failure_are_asked_for(records: Records) -> None:
    kept = [post(number=f"N-{i}") for i in range(3)]
    stored("other", failure="another")
    assert queue.ask_all(kept[0].failure, who="staff") == 3
    assert queue.work() == 3
    assert Order.objects.count() == 3


def test_while_the_fault_is_there_one_of_all_is_tried(records: Records) -> None:
    kept = [post(number=f"N-{i}") for i in range(4)]
    after = SubmissionAct.objects.latest("pk").pk if SubmissionAct.objects.exists() else 0
    host.behave["before"] = ValueError("not mended")
    assert queue.ask_all(kept[0].failure, who="staff") == 4
    assert queue.work() == 1
    rows = RescuedSubmission.objects.order_by("pk").values_list("state", "attempts")
    assert list(rows) == [(State.WAITING, 1), *[(State.WAITING, 0)] * 3]
    assert replays.called_off(after=after, by="staff") == 3
    host.behave.clear()
    assert queue.ask_all(kept[0].failure, who="staff") == 4
    assert queue.work() == 4
    assert Order.objects.count() == 4


def test_those_that_somebody_has_chosen_are_tried_each(records: Records) -> None:
    kept = [post(number=f"N-{i}") for i in range(3)]
    host.behave["before"] = ValueError("not mended")
    queue.ask([one.pk for one in kept], who="staff")
    assert queue.work() == 3


@pytest.mark.parametrize("sent", [{"csrfmiddlewaretoken": "t"}, {"save": "both"}])
def test_a_button_is_pressed_again(records: Records, sent: dict[str, str]) -> None:
    host.behave["before"] = ValueError("a bug")
    assert Client().post("/button/", sent).status_code == 202
    host.behave.clear()
    assert run(RescuedSubmission.objects.get().pk).outcome == "succeeded"
    assert Order.objects.get().number == sent.get("save", "pressed")


def test_a_claim_that_is_lost_takes_its_work_with_it(records: Records) -> None:
    kept = post()

    def expire(request: HttpRequest) -> None:
        RescuedSubmission.objects.filter(pk=kept.pk).update(state=State.WAITING, claim="")

    host.behave["after"] = expire
    outcome = run(kept.pk)
    assert outcome.outcome == "interrupted"
    assert Order.objects.count() == 0
    assert not records.failures[1:]


def test_outside_a_transaction_a_late_end_is_an_end(records: Records) -> None:
    kept = post(path="/loose/")
    assert not kept.transactional

    def expire(request: HttpRequest) -> None:
        rows = RescuedSubmission.objects.filter(pk=kept.pk)
        rows.update(claimed_until=kept.at - timedelta(days=1))
        assert replays.expire() == 1
        assert rows.get().in_doubt == "interrupted"
        replays.ask([kept.pk], who="hasty", doubtful=True)

    host.behave["after"] = expire
    assert run(kept.pk, doubtful=True).outcome == "succeeded"
    assert state(kept.pk) == State.REPLAYED
    assert Order.objects.count() == 1


def test_outside_a_transaction_a_failure_leaves_doubt(records: Records) -> None:
    pk = stored(submission=sent(user="", path="/loose/", fields=(("number", "N"),)))
    host.behave["after"] = ValueError("too late")
    assert run(pk).outcome == "failed"
    found = RescuedSubmission.objects.get()
    assert (found.in_doubt, found.transactional, found.state) == ("untransacted", False, State.WAITING)
    assert Order.objects.count() == 1


@pytest.mark.parametrize("path", ["/loose/", "/aorder/"])
def test_outside_a_transaction_a_refusal_leaves_doubt_as_well(path: str, records: Records) -> None:
    """What a view has written remains, whatever its answer was taken for."""
    pk = stored(submission=sent(user="", path=path, fields=(("number", ""),)))
    host.behave.update(save=True, answer=lambda: HttpResponse("errors"))
    assert run(pk).outcome == "refused"
    assert Order.objects.count() == 1
    assert RescuedSubmission.objects.get().in_doubt == "untransacted"


def test_a_refusal_in_front_of_the_view_leaves_none(records: Records) -> None:
    pk = stored(submission=sent(user="", path="/members/", fields=(("number", "N-1"),)))
    assert run(pk).outcome == "refused"
    found = RescuedSubmission.objects.get()
    assert (found.transactional, found.in_doubt) == (False, "")


def test_submissions_in_a_database_of_their_own_do_not_commit_with_the_work(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is settled late is known to have been done, but a crash in between leaves doubt."""
    transactions.of_posts()  # The test has but one database.
    monkeypatch.setattr(transactions, "events_alias", lambda: "events")
    kept = post()
    assert (kept.transactional, kept.in_doubt) == (False, "")
    host.behave["after"] = ValueError("another bug")
    assert run(kept.pk).outcome == "failed"
    kept.refresh_from_db()
    assert (kept.transactional, kept.in_doubt) == (False, "")
    host.behave.clear()
    assert run(kept.pk).outcome == "succeeded"


def test_an_async_view_is_settled_after_it(records: Records) -> None:
    kept = post(path="/aorder/")
    assert run(kept.pk, doubtful=True).outcome == "succeeded"
    assert state(kept.pk) == State.REPLAYED


def test_two_threads_have_one_effect(records: Records) -> None:
    if connections["default"].vendor == "sqlite":
        pytest.skip("SQLite in memory has one writer")
    kept = post()
    barrier, found = threading.Barrier(4), []
    host.behave["save"] = True

    def press() -> None:
        barrier.wait()
        replays.ask([kept.pk], who="staff")
        found.append(replay(kept.pk))
        connections.close_all()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Order.objects.count() == 1
    assert [one.outcome for one in found if one is not None].count("succeeded") == 1


def test_a_second_replay_while_the_first_still_runs_has_one_effect(records: Records) -> None:
    if connections["default"].vendor == "sqlite":
        pytest.skip("SQLite in memory has one writer")
    kept, slow, go = post(), threading.Event(), threading.Event()

    def pause(request: HttpRequest) -> None:
        if request.qaprod_replay.attempt == 1:
            slow.set()
            go.wait(10)

    host.behave["after"] = pause
    found = []

    def first() -> None:
        found.append(run(kept.pk))
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert slow.wait(10)
    RescuedSubmission.objects.update(claimed_until=kept.at - timedelta(days=1))
    assert replays.expire() == 1
    assert run(kept.pk).outcome == "succeeded"
    go.set()
    thread.join()
    assert [one.outcome for one in found] == ["interrupted"]
    assert Order.objects.count() == 1
    attempts = SubmissionAct.objects.filter(act="replayed").order_by("pk")
    assert list(attempts.values_list("outcome", flat=True)) == ["interrupted", "succeeded"]


class TestThread:
    @pytest.fixture(autouse=True)
    def _many(self) -> None:
        if connections["default"].vendor == "sqlite":
            pytest.skip("SQLite in memory has one writer")

    def test_it_works_until_there_is_nothing(self, records: Records) -> None:
        kept = [post(number=f"N-{i}") for i in range(3)]
        replays.ask([one.pk for one in kept], who="staff")
        queue.start()
        queue.start()
        queue.wait(20)
        assert Order.objects.count() == 3
        assert [one for one in threading.enumerate() if one.name == "qaprod-replays"] == []

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_view_that_exits_does_not_end_all_replays(self, records: Records) -> None:
        kept = [post(number=f"N-{i}") for i in range(2)]

        def leave(request: HttpRequest) -> None:
            if request.POST["number"] == "N-0":
                raise SystemExit

        host.behave["after"] = leave
        replays.ask([one.pk for one in kept], who="staff")
        queue.start()
        queue.wait(20)
        queue.start()
        queue.wait(20)
        assert [state(one.pk) for one in kept] == [State.REPLAYING, State.REPLAYED]
        assert [order.number for order in Order.objects.all()] == ["N-1"]

    def test_the_worker_s_job_goes_on_with_what_was_left(self, records: Records) -> None:
        kept = post()
        replays.ask([kept.pk], who="staff")
        queue.look_after()
        queue.wait(20)
        assert Order.objects.count() == 1


def test_it_is_begun_after_the_commit(monkeypatch: pytest.MonkeyPatch, settings: Any, keys: Any) -> None:
    from django.db import transaction

    started: list[bool] = []
    monkeypatch.setattr(queue, "in_test_run", lambda: False)
    monkeypatch.setattr(queue, "start", lambda: started.append(True))
    pk, other = stored("a"), stored("b")
    with transaction.atomic():
        queue.ask([pk], who="staff")
        assert started == []
    assert started == [True]
    settings.QAPROD = {**settings.QAPROD, "BACKGROUND": "command"}
    queue.ask([other], who="staff")
    assert started == [True]
    assert (keys / queue.FLAG).exists()
    from django_qaprod import forms

    forms._collect(keys)
    assert started == [True, True]
    assert not (keys / queue.FLAG).exists()


def test_nothing_is_started_in_a_host_s_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "start", lambda: pytest.fail("started"))
    assert queue.ask([stored()], who="staff") == 1


def test_the_answer_s_streaming_is_bounded(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "STREAM_MOST", 10)
    kept, taken = post(), []
    host.behave["answer"] = lambda: StreamingHttpResponse(taken.append(i) or b"12345678" for i in range(100))
    assert run(kept.pk).outcome == "succeeded"
    assert len(taken) == 2
