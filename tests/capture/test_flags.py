"""A feature flag that is changed is a mark, as a release is; and it never costs its change anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from django_qaprod.capture import flags
from django_qaprod.models import Deploy
from django_qaprod.records import FlagRecord
from django_qaprod.testing import Records, Store
from tests.project.shop.models import Order

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)
# Rows with switches, with nothing but a name, and without a name.
MODELS = (User, Group, Order)


@pytest.fixture(autouse=True)
def _connected(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {"FLAGS": ["auth.User", "auth.Group", "shop.Order", "auth.Nobody", "nonsense"]}
    flags.install()
    flags.install()
    yield
    for model in MODELS:
        for signal in (post_save, post_delete):
            signal.disconnect(sender=model, dispatch_uid="qaprod.flags")


def marks(records: Records) -> list[tuple[str, str]]:
    """Return the names and notes of the flags that were recorded."""
    return [(record.name, record.note) for record in records.records if isinstance(record, FlagRecord)]


def test_a_change_is_recorded_with_what_stands_in_its_switches(records: Records) -> None:
    """Not with its texts, which may say whom it is for."""
    Group.objects.create(name="short form")
    User.objects.create(username="ada", email="ada@mail.example", is_staff=True)
    switches = "is_superuser off, is_staff on, is_active on"
    assert marks(records) == [("short form", ""), ("ada", switches)]
    assert "mail.example" not in str(records.records)


def test_what_is_removed_is_a_change(records: Records) -> None:
    """For visitors it is."""
    group = Group.objects.create(name="short form")
    group.delete()
    assert marks(records)[1:] == [("short form", "removed")]


def test_a_change_that_is_rolled_back_is_none(records: Records) -> None:
    """And one is recorded when it is committed, not before."""
    with transaction.atomic():
        Group.objects.create(name="short form")
        transaction.set_rollback(True)
    assert marks(records) == []
    with transaction.atomic():
        Group.objects.create(name="short form")
        assert marks(records) == []
    assert marks(records) == [("short form", "")]


def test_what_a_fixture_loads_is_no_change(records: Records) -> None:
    """Rows may not be complete then."""
    Group(name="short form", pk=1).save_base(raw=True)
    assert marks(records) == []


def test_no_query_is_added(records: Records, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """What a row was read without stays unread."""
    made = User.objects.create(username="ada")
    partly = User.objects.only("username").get(pk=made.pk)
    with django_assert_num_queries(1):
        partly.save(update_fields=["username"])
    assert marks(records)[-1] == ("ada", "")


def test_a_row_that_cannot_be_named_is_saved_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is ours to count."""

    def fail(self: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(Order, "__str__", fail)
    Order.objects.create(number="1")
    assert Order.objects.count() == 1


def test_hostile_names_are_one_line_and_short(records: Records) -> None:
    """They stand in messages and on charts."""
    Order.objects.create(number="a\nb\x1b\u202e" + "x" * 30)
    ((name, _),) = marks(records)
    assert name.isprintable()


def test_each_change_is_a_row_and_none_is_a_release(qaprod_store: Store) -> None:
    """Stored once each; twice the same name is two changes."""
    for active in (True, False):
        User.objects.update_or_create(username="ada", defaults={"is_active": active})
    qaprod_store.drain()
    assert [(row.release, row.flag, row.note[-11:]) for row in Deploy.objects.order_by("pk")] == [
        ("ada", True, "s_active on"),
        ("ada", True, "_active off"),
    ]
