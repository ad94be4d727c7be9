from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from django_qaprod.pipeline import fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("application 12 has no school", "application 9,431 has no school"),
        ("'jan' is not a valid choice", "'piet' is not a valid choice"),
        ('no row for "a"', 'no row for "b c"'),
        ("<Order: 3> failed", "<Order: pk=4> failed"),
        ("object at 0x7f00aa", "object at 0x7f11bb"),
        ("123e4567-e89b-12d3-a456-426614174000 gone", "00000000-0000-4000-8000-000000000000 gone"),
        ("mail to [email] bounced", "mail to a@b.nl bounced"),
        ("10.0.0.1 refused", "192.168.17.4 refused"),
        ("at 2024-01-02T03:04:05.123Z", "at 2025-12-31 23:59:59"),
        ("no such file /srv/a/b.txt", "no such file /var/tmp/c"),
        ("ids [1, 2, 3]", "ids [4]"),
        ("commit deadbeef1 is bad", "commit 1234567ab is bad"),
    ],
)
def test_what_varies_is_left_out_of_the_message(one: str, other: str) -> None:
    assert fingerprint.normalise(one) == fingerprint.normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no school", "no vacancy"),
        ("can't open user's file", "can't close user's file"),
        ("a: 1 b", "a: 1 c"),
    ],
)
def test_what_is_meant_stays(one: str, other: str) -> None:
    assert fingerprint.normalise(one) != fingerprint.normalise(other)


def test_a_fingerprint_says_by_which_recipe_it_was_made_and_fits_its_column() -> None:
    made = fingerprint.of("unhandled", ["ValueError"], ["jobs.views.apply"], "no school")
    assert made.startswith("v1:")
    assert len(made) <= 64
    assert made != fingerprint.of("degraded", ["ValueError"], ["jobs.views.apply"], "no school")
    assert made != fingerprint.of("unhandled", ["KeyError"], ["jobs.views.apply"], "no school")
    assert made != fingerprint.of("unhandled", ["ValueError"], ["jobs.views.start"], "no school")


def by_type(error: object, default: str) -> str:
    return type(error).__name__ if isinstance(error, ValueError) else default


def broken(error: object, default: str) -> str:
    raise RuntimeError("the host's own function fails")


def test_the_host_chooses_the_group(settings: Settings) -> None:
    settings.QAPROD = {"FINGERPRINT": f"{__name__}.by_type"}
    assert fingerprint.by_host(ValueError(1), "v1:a") == fingerprint.by_host(ValueError(2), "v1:b")
    assert fingerprint.by_host(KeyError(1), "v1:a") == "v1:a"


def test_a_function_of_the_host_that_fails_changes_nothing(settings: Settings) -> None:
    settings.QAPROD = {"FINGERPRINT": f"{__name__}.broken"}
    assert fingerprint.by_host(ValueError(1), "v1:a") == "v1:a"
    settings.QAPROD = {"FINGERPRINT": "nowhere.at.all"}
    assert fingerprint.by_host(ValueError(1), "v1:a") == "v1:a"
