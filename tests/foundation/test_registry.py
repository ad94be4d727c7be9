"""Declarations register themselves, once each, and a test forgets what it declared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_qaprod import registry
from django_qaprod.exceptions import DeclarationError, QAProdError, UnknownStepError
from django_qaprod.registry import JourneySpec, StepSpec


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    with registry.isolated():
        yield


def spec(name: str = "Application", module: str = "jobs.qaprod", title: str = "") -> JourneySpec:
    steps = (StepSpec(name="started", title="started"),)
    return JourneySpec(name=name, title=title, module=module, steps=steps)


def test_a_journey_is_found_by_its_name() -> None:
    registry.register(spec())
    assert registry.journey("Application") == spec()
    assert spec() in registry.journeys()


def test_a_module_that_is_imported_again_replaces_its_own() -> None:
    registry.register(spec(title="old"))
    registry.register(spec(title="new"))
    assert registry.journey("Application").title == "new"


def test_a_name_that_another_module_has_is_refused() -> None:
    registry.register(spec())
    with pytest.raises(DeclarationError, match=r"declared in jobs\.qaprod.*Give the one in shop\.qaprod"):
        registry.register(spec(module="shop.qaprod"))


def test_an_unknown_journey_is_refused_with_the_names_that_exist() -> None:
    registry.register(spec())
    with pytest.raises(UnknownStepError, match="Application") as caught:
        registry.journey("Aplication")
    assert "Application" in caught.value.known
    assert isinstance(caught.value, (QAProdError, LookupError))


def test_what_was_declared_in_isolation_is_forgotten() -> None:
    before = registry.journeys()
    with registry.isolated():
        registry.register(spec())
    assert registry.journeys() == before
