from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.utils.translation import gettext_lazy as _
from pytest_django import Settings

from django_qaprod import Journey, Step, alerts, registry
from django_qaprod.exceptions import DeclarationError, UnknownStepError
from django_qaprod.pipeline import guard


def test_steps_keep_the_order_of_the_class_body() -> None:
    class JobApplication(Journey):
        started = Step()
        submitted = Step(once=True)
        attached = Step()
        properties = ("form_type",)
        variant = "form_type"

    spec = registry.journey("job_application")
    assert spec is JobApplication.spec
    assert [(step.name, step.title, step.once) for step in spec.steps] == [
        ("started", "Started", False),
        ("submitted", "Submitted", True),
        ("attached", "Attached", False),
    ]
    assert (spec.title, spec.variant, spec.properties) == ("Job application", "form_type", ("form_type",))


def test_name_and_titles_can_be_given() -> None:
    class Checkout(Journey):
        name = "order"
        title = _("Bestelling")
        paid = Step(title="Betaald")

    spec = registry.journey("order")
    assert str(spec.title) == "Bestelling"
    assert spec.step("paid").title == "Betaald"
    assert repr(Checkout.paid) == "<Step Checkout.paid>"


def test_a_subclass_has_the_steps_of_its_base_first_and_as_its_own() -> None:
    class Application(Journey):
        started = Step(once=True)

    class JobApplication(Application):
        submitted = Step()

    assert [step.name for step in JobApplication.spec.steps] == ["started", "submitted"]
    assert JobApplication.started.journey.name == "job_application"
    assert JobApplication.started.once
    assert Application.started.journey.name == "application"


def test_a_class_without_steps_is_no_journey() -> None:
    class Base(Journey):
        properties = ("channel",)

    class Signup(Base):
        done = Step()

    assert [spec.name for spec in registry.journeys()] == ["signup"]
    assert Signup.spec.properties == ("channel",)


def test_an_unknown_step_is_named_with_those_that_exist() -> None:
    class Signup(Journey):
        done = Step()

    with pytest.raises(UnknownStepError, match="signup has no step named 'dnoe'") as caught:
        Signup.spec.step("dnoe")
    assert caught.value.known == ("done",)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"properties": "form_type"}, "is a tuple of names"),
        ({"properties": (1,)}, "is a tuple of names"),
        ({"variant": 3}, "variant is a text"),
        ({"name": "x" * 101}, "name is a text"),
        ({"properties": ("at",)}, "option of record"),
        ({"bind": Step()}, "cannot have that name"),
        ({"name": Step()}, "cannot have that name"),
    ],
)
def test_a_wrong_declaration_is_refused_at_once(body: dict[str, object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        type("Wrong", (Journey,), {"started": Step(), **body})


def test_a_step_outside_a_journey_says_where_it_belongs() -> None:
    with pytest.raises(DeclarationError, match="body of a Journey"):
        Step().record("a")


def test_once_is_a_boolean() -> None:
    with pytest.raises(DeclarationError, match="True or False"):
        Step(once="yes")  # type: ignore[arg-type]


def test_a_journey_is_not_instantiated() -> None:
    class Signup(Journey):
        done = Step()

    with pytest.raises(DeclarationError, match="not instantiated"):
        Signup()


class TestAStepThatIsNotThere:
    """A typo is an error while developing, and in production no reason to lose a request."""

    def test_it_is_named_with_those_that_exist_in_development(self) -> None:
        class Purchase(Journey):
            started = Step()
            paid = Step()

        with pytest.raises(UnknownStepError, match=r"no step named 'payed'\. It has: started, paid"):
            Purchase.payed  # type: ignore[attr-defined]  # noqa: B018
        assert not hasattr(Purchase, "payed")

    def test_recording_it_is_refused_and_counted_in_production(self, settings: Settings) -> None:
        class Purchase(Journey):
            paid = Step()

        settings.QAPROD = {"RERAISE": False}
        guard.take()
        Purchase.payed.record("1", strict=True)  # type: ignore[attr-defined]
        asyncio.run(Purchase.payed.arecord("1"))  # type: ignore[attr-defined]
        tally = guard.take()
        assert tally is not None
        assert tally.errors == {"journeys": 2}
        assert "no step named 'payed'" in tally.last_error

    def test_declaring_with_it_is_an_error_everywhere(self, settings: Settings) -> None:
        class Purchase(Journey):
            paid = Step()

        settings.QAPROD = {"RERAISE": False}
        with pytest.raises(UnknownStepError):
            Purchase.payed.on_create("shop.Order")  # type: ignore[attr-defined]
        with pytest.raises(UnknownStepError, match=r"no step named 'payed'\. It has: paid"):
            alerts.Absence("nobody pays", of=Purchase.payed, window=timedelta(hours=1))  # type: ignore[attr-defined]
