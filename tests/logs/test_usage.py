"""What is used is logged by allow-listed fields, and steps as they are committed."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from django.db import transaction
from pytest_django import Settings

from django_qaprod import Journey, Step, capture, log_usage, registry
from django_qaprod.context import Context
from django_qaprod.exceptions import PropertyError
from django_qaprod.logs import KeyValueFormatter
from django_qaprod.logs import steps as logged_steps
from django_qaprod.pipeline import guard, hooks
from django_qaprod.testing import Records

from .written import Keeping, ecs, kept, otel, splunk

FIELDS = {"payment_limit_changed": ("amount", "currency", "on", "card_number", "more")}


@pytest.fixture
def lines(settings: Settings) -> Iterator[Keeping]:
    settings.QAPROD = {"USAGE_FIELDS": FIELDS, "RERAISE": False}
    with kept("qaprod.usage") as found:
        yield found


class TestUsage:
    def test_it_is_one_line_with_its_fields_and_its_request(self, lines: Keeping, served: Context) -> None:
        log_usage("payment_limit_changed", amount=500, currency="EUR")
        (line,) = lines.objects
        assert (line["log.level"], line["log.logger"]) == ("info", "qaprod.usage")
        assert line["message"] == line["event.action"] == "payment_limit_changed"
        assert line["qaprod.usage"] == {"amount": 500, "currency": "EUR"}
        assert line["http.request.id"] == served.request_id

    def test_opentelemetry_has_a_field_for_the_event(self, settings: Settings) -> None:
        settings.QAPROD = {"USAGE_FIELDS": FIELDS}
        made: list[logging.LogRecord] = []
        with kept("qaprod.usage") as lines:
            lines.emit = made.append  # type: ignore[method-assign]
            log_usage("payment_limit_changed", amount=500)
        found = otel(made[0])
        assert found["event_name"] == "payment_limit_changed"
        assert found["attributes"]["qaprod.usage"] == {"amount": 500}
        pairs = splunk(KeyValueFormatter().format(made[0]))
        assert (pairs["event"], pairs["usage_amount"]) == ("payment_limit_changed", "500")

    def test_numbers_are_numbers_and_the_rest_is_plain(self, lines: Keeping) -> None:
        log_usage("payment_limit_changed", amount=Decimal("1.5"), on=date(2025, 1, 2), more=object())
        assert lines.objects[0]["qaprod.usage"] == {"amount": 1.5, "on": "2025-01-02", "more": "<object>"}

    @pytest.mark.parametrize(
        "amount",
        [math.nan, -math.inf, 2**63, -(10**5000), Decimal("1e999"), Decimal("NaN"), Decimal("sNaN")],
        ids=lambda amount: str(amount)[:9] if type(amount) is not int else f"{amount.bit_length()} bits",
    )
    def test_what_no_store_can_hold_as_a_number_is_no_text_either(
        self, lines: Keeping, amount: object
    ) -> None:
        made: list[logging.LogRecord] = []
        lines.emit = made.append  # type: ignore[method-assign]
        log_usage("payment_limit_changed", amount=amount, currency="EUR")
        for found in (ecs(made[0])["qaprod.usage"], otel(made[0])["attributes"]["qaprod.usage"]):
            assert found == {"amount": None, "currency": "EUR"}
        line = KeyValueFormatter().format(made[0])
        assert "usage_amount" not in line
        assert "usage_currency=EUR" in line

    def test_nor_is_it_in_a_list(self, lines: Keeping) -> None:
        log_usage("payment_limit_changed", amount=[500, math.nan, {"more": math.inf}])
        assert lines.objects[0]["qaprod.usage"] == {"amount": [500, None, {"more": None}]}

    def test_the_largest_numbers_stay_as_they_are(self, lines: Keeping) -> None:
        log_usage("payment_limit_changed", amount=2**63 - 1, more=1.5e308)
        assert lines.objects[0]["qaprod.usage"] == {"amount": 2**63 - 1, "more": 1.5e308}

    def test_an_event_without_fields_needs_no_list(self, lines: Keeping) -> None:
        log_usage("help_opened")
        assert lines.objects[0]["event.action"] == "help_opened"
        assert "qaprod.usage" not in lines.objects[0]

    def test_a_field_that_is_not_allowed_is_left_out_and_counted(self, lines: Keeping) -> None:
        guard.take()
        log_usage("payment_limit_changed", amount=500, name="Ada", address="here")
        log_usage("unknown", amount=500)
        assert [line.get("qaprod.usage") for line in lines.objects] == [{"amount": 500}, None]
        tally = guard.take()
        assert tally is not None
        assert tally.dropped == {"logs.usage": 3}
        assert tally.errors == {}

    def test_the_developer_sees_it(self, lines: Keeping, settings: Settings) -> None:
        settings.QAPROD = {"USAGE_FIELDS": FIELDS, "RERAISE": True}
        with pytest.raises(PropertyError, match=r"the field 'name'.*amount, currency") as caught:
            log_usage("payment_limit_changed", amount=500, name="Ada")
        assert caught.value.name == "name"
        with pytest.raises(PropertyError, match="allowed are: none"):
            log_usage("unknown", amount=500)
        assert lines.lines == []

    def test_what_is_allowed_is_scrubbed_all_the_same(self, lines: Keeping) -> None:
        log_usage("payment_limit_changed", card_number="4111111111111111", currency="ada@example.org")
        assert lines.objects[0]["qaprod.usage"] == {"card_number": "[scrubbed]", "currency": "[email]"}
        log_usage("mailed ada@example.org\nand more")
        assert lines.objects[1]["event.action"] == "mailed [email] and more"

    def test_a_field_may_have_any_name(self, lines: Keeping, settings: Settings) -> None:
        settings.QAPROD = {"USAGE_FIELDS": {"x": ("event", "self", "level")}}
        log_usage("x", event="a", self="b", level="c")
        assert lines.objects[0]["qaprod.usage"] == {"event": "a", "self": "b", "level": "c"}

    def test_nothing_is_logged_where_nothing_is_on(self, lines: Keeping, settings: Settings) -> None:
        settings.QAPROD = {"ENABLED": False}
        log_usage("help_opened", name="Ada")
        assert lines.lines == []

    def test_nonsense_raises_nothing_in_production(self, lines: Keeping) -> None:
        log_usage(["a list"], amount=1)  # type: ignore[arg-type]
        log_usage(None)  # type: ignore[arg-type]
        guard.take()

    def test_a_failure_of_ours_leaves_the_host_alone(
        self, lines: Keeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def explode(*args: object) -> None:
            raise RuntimeError("our own bug")

        monkeypatch.setattr("django_qaprod.logs.usage.scrub.under", explode)
        guard.take()
        log_usage("payment_limit_changed", amount=1)
        tally = guard.take()
        assert tally is not None
        assert tally.errors == {"logs.usage": 1}


@pytest.mark.django_db
class TestSteps:
    @pytest.fixture(autouse=True)
    def _host(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(hooks, "step_witnesses", [])
        settings.QAPROD = {"LOG_STEPS": True, "RELEASE": "1.0"}
        capture.install()
        with registry.isolated():
            yield

    def declare(self) -> type[Journey]:
        class LoggedApplication(Journey):
            submitted = Step()
            variant = "form_type"
            properties = ("pages",)

        return LoggedApplication

    def test_a_step_is_one_line_with_what_its_journey_allows(self, records: Records, served: Context) -> None:
        journey = self.declare()
        with kept("qaprod.step") as lines:
            journey.submitted.record("4711", form_type="short", pages=3)
        (line,) = lines.objects
        assert line["message"] == line["event.action"] == "logged_application.submitted"
        assert (line["qaprod.journey"], line["qaprod.step"]) == ("logged_application", "submitted")
        assert (line["qaprod.subject"], line["qaprod.variant"]) == ("4711", "short")
        assert line["qaprod.properties"] == {"pages": 3}
        assert line["http.request.id"] == served.request_id
        assert records.events[0].request_id == served.request_id

    def test_one_that_is_rolled_back_is_none(self) -> None:
        from django_qaprod.testing import store_records

        journey = self.declare()
        with store_records(), kept("qaprod.step") as lines:
            with transaction.atomic():
                journey.submitted.record("1")
                transaction.set_rollback(True)
            assert lines.lines == []

    def test_a_step_of_another_journey_than_the_request_s_says_so(
        self, records: Records, served: Context
    ) -> None:
        served.journey, served.subject = "another", "1"
        journey = self.declare()
        with kept("qaprod.step") as lines:
            journey.submitted.record("ada@example.org")
        (line,) = lines.objects
        assert (line["qaprod.journey"], line["qaprod.subject"]) == ("logged_application", "[email]")

    def test_nobody_who_listens_is_no_work(self, records: Records) -> None:
        journey = self.declare()
        with kept("qaprod.step", level=logging.WARNING) as lines:
            journey.submitted.record("1")
        assert lines.lines == []

    def test_it_is_installed_once_and_only_if_asked_for(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        capture.install()
        assert hooks.step_witnesses.count(logged_steps.log) == 1
        monkeypatch.setattr(hooks, "step_witnesses", [])
        settings.QAPROD = {}
        capture.install()
        assert logged_steps.log not in hooks.step_witnesses


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_step_is_logged_when_it_is_committed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from django_qaprod.testing import store_records

    monkeypatch.setattr(hooks, "step_witnesses", [logged_steps.log])
    with registry.isolated(), store_records(), kept("qaprod.step") as lines:

        class CommittedApplication(Journey):
            submitted = Step()

        with transaction.atomic():
            CommittedApplication.submitted.record("1")
            assert lines.lines == []
        assert len(lines.lines) == 1
