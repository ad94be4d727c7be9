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
from django_qaprod.pipeline import guard, process
from django_qaprod.records import FlagRecord
from django_qaprod.testing import Records, Store
from tests.project.shop.models import Order

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)
# Rows with switches, with nothing but a name, and without a name.
MODELS = (User, Group, Order)
LABELS = [model._meta.label for model in MODELS]


@pytest.fixture(autouse=True)
def _connected(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {"FLAGS": [*LABELS, "auth.Nobody", "nonsense"]}
    flags.install()
    flags.install()
    flags._made.clear()
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
    """What a row was read without stays unread: it is named by its model and key."""
    made = User.objects.create(username="ada")
    for column in ("username", "is_active"):
        partly = User.objects.only(column).get()
        with django_assert_num_queries(1):
            partly.save(update_fields=[column])
        assert marks(records)[-1][0] == f"auth.User {made.pk}"
    group = Group.objects.only("pk").get(pk=Group.objects.create(name="short form").pk)
    with django_assert_num_queries(0):
        flags._mark(group, "", "default")
    assert marks(records)[-1] == (f"auth.Group {group.pk}", "")


def test_a_name_that_is_no_column_of_the_row_is_left_alone(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a property or a relation, and ask for more."""
    asked: list[Any] = []
    monkeypatch.setattr(Order, "name", property(asked.append), raising=False)
    Order.objects.create(number="1")
    assert marks(records) == [("1", "")]
    assert asked == []


def test_what_a_row_says_of_itself_may_not_ask_the_database(
    records: Records, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a relation that is not loaded. The transaction is as it was, and that is no error of ours."""
    asked: list[Any] = []

    def ask(self: Order) -> str:
        asked.append(self.number)
        return f"{self.number} of {Order.objects.count()}"

    monkeypatch.setattr(Order, "__str__", ask)
    with transaction.atomic():
        with django_assert_num_queries(1):
            order = Order.objects.create(number="1")
        assert Order.objects.count() == 1
    assert asked == ["1"]
    assert marks(records) == [(f"shop.Order {order.pk}", "")]


def test_a_row_that_cannot_say_what_it_is_is_named_by_its_key(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is counted, and neither the change nor its mark is lost."""

    def fail(self: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(Order, "__str__", fail)
    guard.take()
    order = Order.objects.create(number="1")
    assert Order.objects.count() == 1
    assert marks(records) == [(f"shop.Order {order.pk}", "")]
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"capture.flags": 1}


@pytest.mark.parametrize("broken", [(process, "submit"), (guard, "caught")])
def test_where_the_mark_fails_what_the_host_does_after_its_commit_is_done(
    records: Records, monkeypatch: pytest.MonkeyPatch, broken: tuple[Any, str]
) -> None:
    """Even if the guard itself is what fails; Django would skip the callbacks after one that raises."""

    def fail(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(process, "submit", fail)
    monkeypatch.setattr(*broken, fail)
    done: list[str] = []
    with transaction.atomic():
        Group.objects.create(name="short form")
        transaction.on_commit(lambda: done.append("mail"))
    assert done == ["mail"]
    assert marks(records) == []
    guard.take()


def test_who_saves_in_a_loop_gets_so_many_marks_an_hour(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out is counted; after an hour there are marks again."""
    now = 1000.0
    monkeypatch.setattr(flags, "monotonic", lambda: now)
    guard.take()
    group = Group.objects.create(name="short form")
    with transaction.atomic():
        for _ in range(flags.MOST_AN_HOUR + 4):
            group.save()
        assert len(transaction.get_connection().run_on_commit) == flags.MOST_AN_HOUR - 1
    assert len(marks(records)) == flags.MOST_AN_HOUR
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"flags": 5}
    now += 3600
    group.save()
    assert len(marks(records)) == flags.MOST_AN_HOUR + 1


def test_where_nothing_is_recorded_nothing_is_asked_or_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the host's tests."""
    asked: list[Any] = []
    monkeypatch.setattr(Order, "__str__", lambda self: asked.append(self) or "1")
    with transaction.atomic():
        Order.objects.create(number="1")
        assert transaction.get_connection().run_on_commit == []
    assert asked == []


def test_secrets_and_people_are_taken_out(records: Records) -> None:
    """As of every text."""
    Group.objects.create(name="for ada@mail.example")
    assert marks(records) == [("for [email]", "")]


def test_hostile_names_are_one_line_and_short(records: Records) -> None:
    """They stand in messages and on charts."""
    Order.objects.create(number="a\nb\x1b\u202e" + "x" * 30)
    ((name, _),) = marks(records)
    assert name.isprintable()


def test_each_change_is_a_row_and_none_is_a_release(qaprod_store: Store) -> None:
    """Stored once each; twice the same name is two changes, unless nothing is different."""
    for active in (True, True, False):
        User.objects.update_or_create(username="ada", defaults={"is_active": active})
    qaprod_store.drain()
    assert [(row.release, row.flag, row.note[-11:]) for row in Deploy.objects.order_by("pk")] == [
        ("ada", True, "s_active on"),
        ("ada", True, "_active off"),
    ]
