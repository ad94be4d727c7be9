"""Alerts: what goes wrong with them in other people's production.

| what goes wrong | test |
|---|---|
| the database is dead, and evaluator, lease and outbox with it | alerts/test_last_resort.py::test_a_database_that_is_dead_is_told_of_by_mail |
| the database swallows all that is sent, and the drainer hangs | alerts/test_last_resort.py::test_one_that_is_stuck_without_a_word_is_told_of |
| an evaluation that fails resolves the alert | alerts/test_passes.py::test_one_that_cannot_be_judged_holds_back_no_other_and_changes_nothing |
| so does one without data | alerts/test_passes.py::test_silence_of_a_rule_changes_nothing |
| missed evaluations are replayed as a burst | alerts/test_passes.py::test_missed_looks_are_not_made_up_for |
| what happened meanwhile is missed | alerts/judging/test_threshold.py::test_a_blip_between_two_looks_is_seen_once_somebody_looks |
| a crash between state and notification loses the alert | store/test_alerts.py::test_a_look_that_goes_wrong_in_the_middle_leaves_nothing |
| a crash between claim and mark | alerts/test_evaluators.py::test_four_evaluators_one_of_which_dies_tell_once |
| the same, as the receiver sees it | store/test_outbox.py::test_after_a_crash_the_same_message_is_sent_again |
| 7,700 mails from one missing template | test_a_flood_is_one_hour_s_messages_and_a_digest_that_counts |
| a newline in a subject, and the alert is never sent | alerts/channels/test_mail.py::test_a_hostile_subject_is_one_line_of_one_header |
| `<!channel>` in what somebody wrote | alerts/channels/test_apprise.py::test_nobody_is_called_by_what_somebody_wrote |
| 100 kB of text | alerts/channels/test_webhook.py::test_a_hostile_message_is_bounded_and_its_header_is_one |
| one dead channel delays the rest | outbox/test_threads.py::test_a_lane_that_hangs_holds_up_no_other |
| it is asked again and again | alerts/channels/test_sending.py::test_one_that_fails_again_and_again_is_left_alone_and_its_fallback_is_not_delayed |
| a secret in a channel's URL shows up in a stored error | alerts/channels/test_sending.py::test_secrets_are_said_nowhere |
| three requests in the night make a 33% error rate and a page | alerts/test_default_rules.py::test_three_requests_in_the_night_are_no_error_rate |
| summer time moves what is usual by an hour | alerts/judging/test_dip.py::test_the_clock_on_the_wall_counts |
| a nightly job is missed, or expected twice, when the clock is changed | alerts/test_cron.py::test_what_has_a_fixed_hour_runs_once_in_an_hour_that_is_repeated |
| a machine's clock is wrong, and its lease lasts | store/test_leases.py::test_a_machine_whose_clock_is_wrong_changes_nothing |
| a poison message blocks the queue | alerts/test_sending.py::test_what_can_never_be_sent_is_given_up_and_the_rest_goes_on |
| it is tried for ever | store/test_outbox.py::test_what_failed_waits_longer_each_time_and_is_given_up_at_last |
| a mail scanner that follows links acknowledges | public/test_alerts.py::test_looking_changes_nothing_and_is_one_query |
| a webhook leads to a private address | alerts/channels/test_safe_http.py::test_the_address_that_was_looked_at_is_the_one_that_is_connected_to |
| or is sent there by a redirect | alerts/channels/test_safe_http.py::test_redirects_are_answers_and_are_not_followed |
"""  # noqa: E501

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from django_qaprod import clock, registry
from django_qaprod.alerts import passes, sending
from django_qaprod.alerts.channels.base import Message
from django_qaprod.alerts.judging.base import Judgement, Verdict
from django_qaprod.alerts.sight import LiveSight
from django_qaprod.models import Notification
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import outbox

pytestmark = pytest.mark.django_db(databases="__all__")


class Post:
    """A channel of the host's."""

    sent: list[Message] = []

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, message: Message) -> None:
        Post.sent.append(message)


@pytest.fixture(autouse=True)
def _alone(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {
        "CHANNELS": {"post": {"class": f"{__name__}.Post", "per_hour": 10}}, "DEFAULT_RULES": False
    }  # fmt: skip
    Post.sent = []
    with registry.isolated():
        registry._rules.clear()
        registry._routes.clear()
        yield


def test_a_flood_is_one_hour_s_messages_and_a_digest_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred and fifty rules fire at once: ten messages, the last of which tells how many there are."""
    verdict = Verdict("", True, 1.0, "1 in 5 min")
    monkeypatch.setattr(passes, "judge_of", lambda spec: lambda *given: Judgement((verdict,)))
    for number in range(150):
        registry.register_rule(
            RuleSpec(
                name=f"template {number} is missing", kind="threshold", of=Measure("failures"), numbers={}
            )
        )
    passes.look(threading.Event(), sight=LiveSight(at=clock.epoch(clock.now()) - 60))
    assert outbox.lanes(Notification) == ["post"]
    sending.send_due("post", threading.Event())
    assert Counter(message.kind for message in Post.sent) == {"firing": 9, "digest": 1}
    assert "141" in Post.sent[-1].subject
    assert not Notification.objects.exclude(state="sent").exists()
