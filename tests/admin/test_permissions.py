"""Every address of ours, by everybody, by GET and POST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern, URLResolver
from pytest_django import Settings

from django_qaprod import clock, registry
from django_qaprod.models import Deploy, Failure, RescuedSubmission
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

ROLES = ("anonymous", "staff", "view", "change", "superuser")

# Addresses by what is registered, and the status for each role. An anonymous visitor is led to the login.
LIST = {"GET": (302, 403, 200, 200, 200), "POST": (302, 403, 200, 200, 200)}
# Without a permission for any action the list is shown again.
ACTIONS = {"GET": (302, 403, 200, 200, 200), "POST": (302, 403, 200, 200, 302)}
READ = {"GET": (302, 403, 200, 200, 200), "POST": (302, 403, 405, 405, 405)}
# Computed pages have a permission to look and no other.
PAGE = {"GET": (302, 403, 200, 403, 200), "POST": (302, 403, 405, 403, 405)}
WRITE = {"GET": (302, 403, 405, 405, 405), "POST": (302, 403, 403, 403, 302)}
SHUT = {"GET": (302, 403, 403, 403, 403), "POST": (302, 403, 403, 403, 403)}
REDIRECT = {"GET": (302, 302, 302, 302, 302), "POST": (302, 302, 302, 302, 302)}
SAFE_REDIRECT = {"GET": (302, 403, 302, 302, 302), "POST": (302, 403, 302, 302, 302)}
STOCK_HISTORY = {"GET": (302, 403, 200, 200, 200), "POST": (302, 403, 200, 200, 200)}
LOOK_ONLY_FORM = {"GET": (302, 403, 200, 200, 200), "POST": (302, 403, 403, 403, 403)}
NOTE_FORM = {"GET": (302, 403, 200, 200, 200), "POST": (302, 403, 403, 302, 302)}
# What has a permission of its own, by POST alone, or behind a page that asks whether it is meant.
SHOW = {"GET": (302, 403, 403, 403, 405), "POST": (302, 403, 403, 403, 200)}
DO = {"GET": (302, 403, 403, 403, 405), "POST": (302, 403, 403, 403, 302)}
# By GET they lead back: whoever signs in again arrives so.
SHOW_OR_BACK = {**SHOW, "GET": (302, 403, 403, 403, 302)}
DO_OR_BACK = {**DO, "GET": (302, 403, 403, 403, 302)}
CONFIRM = {"GET": (302, 403, 403, 403, 200), "POST": (302, 403, 403, 403, 302)}
DELETE = {"GET": (302, 403, 403, 403, 200), "POST": (302, 403, 403, 403, 302)}

# What has one view that is looked at by GET and acts by POST, for which there is a permission of its own.
LOOK_AND_ACT = {"GET": (302, 403, 200, 403, 200), "POST": (302, 403, 403, 403, 302)}
# As others, of models that nobody has a permission to change.
PAGE_ACTIONS = {"GET": (302, 403, 200, 403, 200), "POST": (302, 403, 200, 403, 302)}
PAGE_LIST = {"GET": (302, 403, 200, 403, 200), "POST": (302, 403, 200, 403, 200)}
PAGE_REDIRECT = {"GET": (302, 403, 302, 403, 302), "POST": (302, 403, 302, 403, 302)}
ADD = {"GET": (302, 403, 403, 403, 200), "POST": (302, 403, 403, 403, 302)}

MATRIX = {
    "alert/": PAGE_ACTIONS,
    "alert/add/": SHUT,
    "alert/usefulness/": PAGE,
    "alert/<int:pk>/": PAGE,
    "alert/<int:pk>/act/": {"GET": (302, 403, 405, 403, 405), "POST": (302, 403, 403, 403, 302)},
    "alert/<path:object_id>/history/": PAGE_REDIRECT,
    "alert/<path:object_id>/delete/": SHUT,
    "alert/<path:object_id>/change/": PAGE_REDIRECT,
    # Of a number it is the alert's page.
    "alert/<path:object_id>/": PAGE,
    "rule/": PAGE,
    "rule/rule/": LOOK_AND_ACT,
    "silence/": PAGE_ACTIONS,
    "silence/add/": ADD,
    "silence/<str:object_id>/end/": DO,
    "silence/<path:object_id>/history/": PAGE_REDIRECT,
    "silence/<path:object_id>/delete/": SHUT,
    "silence/<path:object_id>/change/": PAGE,
    "silence/<path:object_id>/": REDIRECT,
    "channel/": PAGE,
    "channel/test/": DO,
    "notification/": PAGE_LIST,
    "notification/add/": SHUT,
    "notification/<path:object_id>/history/": PAGE_REDIRECT,
    "notification/<path:object_id>/delete/": SHUT,
    "notification/<path:object_id>/change/": PAGE_REDIRECT,
    "notification/<path:object_id>/": REDIRECT,
    "failure/": ACTIONS,
    "failure/add/": SHUT,
    "failure/<int:object_id>/state/": WRITE,
    "failure/<int:object_id>/text/": READ,
    "failure/<path:object_id>/history/": SAFE_REDIRECT,
    "failure/<path:object_id>/delete/": DELETE,
    "failure/<path:object_id>/change/": READ,
    "failure/<path:object_id>/": REDIRECT,
    "journeypage/": PAGE,
    "rescuedsubmission/": ACTIONS,
    "rescuedsubmission/add/": SHUT,
    "rescuedsubmission/progress/": READ,
    "rescuedsubmission/replay-failure/": DO,
    "rescuedsubmission/<str:object_id>/content/": SHOW_OR_BACK,
    "rescuedsubmission/<str:object_id>/file/": SHOW,
    "rescuedsubmission/<str:object_id>/edit/": DO_OR_BACK,
    "rescuedsubmission/<str:object_id>/replay/": CONFIRM,
    "rescuedsubmission/<str:object_id>/discard/": CONFIRM,
    "rescuedsubmission/<path:object_id>/history/": SAFE_REDIRECT,
    "rescuedsubmission/<path:object_id>/delete/": SHUT,
    "rescuedsubmission/<path:object_id>/change/": READ,
    "rescuedsubmission/<path:object_id>/": REDIRECT,
    "breach/": ACTIONS,
    "breach/add/": SHUT,
    "breach/<str:object_id>/repair/": DO,
    "breach/<str:object_id>/dismiss/": CONFIRM,
    "breach/<path:object_id>/history/": SAFE_REDIRECT,
    "breach/<path:object_id>/delete/": SHUT,
    "breach/<path:object_id>/change/": READ,
    "breach/<path:object_id>/": REDIRECT,
    "requestpage/": PAGE,
    "requestpage/route/": PAGE,
    "gaugepage/": PAGE,
    # Whoever may look is told that there is none without a name.
    "gaugepage/gauge/": {**PAGE, "GET": (302, 403, 404, 403, 404)},
    "health/": READ,
    "event/": LIST,
    "event/add/": SHUT,
    "event/<path:object_id>/history/": STOCK_HISTORY,
    "event/<path:object_id>/delete/": SHUT,
    "event/<path:object_id>/change/": LOOK_ONLY_FORM,
    "event/<path:object_id>/": REDIRECT,
    "deploy/": LIST,
    "deploy/add/": SHUT,
    "deploy/<path:object_id>/history/": STOCK_HISTORY,
    "deploy/<path:object_id>/delete/": SHUT,
    "deploy/<path:object_id>/change/": NOTE_FORM,
    "deploy/<path:object_id>/": REDIRECT,
}

LIST_ACTIONS = {
    "alert/": "acknowledge", "silence/": "end", "breach/": "dismiss",
    "failure/": "resolve", "rescuedsubmission/": "replay",
}  # fmt: skip
# What each of the addresses understands.
POSTED = {
    "do": "resolve", "note": "n", "post": "yes", "failure": "v1:1", "file": "0", "reason": "spam",
    "version": "1", "field-0": "Grace", "why": "n", "confirmed": "yes", "channel": "mail",
    "everything": "on", "span": "3600",
    "rule-numbers.at_least": "9", "rule-numbers.window": "5 min", "rule-severity": "error", "rule-on": "on",
}  # fmt: skip
# What changes something for a superuser; to see what was sent is written down.
ACTING = {
    "alert/", "alert/<int:pk>/act/", "rule/rule/", "silence/", "silence/add/", "silence/<str:object_id>/end/",
    "channel/test/",
    "breach/", "breach/<str:object_id>/repair/", "breach/<str:object_id>/dismiss/",
    "failure/", "failure/<int:object_id>/state/", "failure/<path:object_id>/delete/",
    "rescuedsubmission/", "rescuedsubmission/replay-failure/",
    *(
        f"rescuedsubmission/<str:object_id>/{view}/"
        for view in ("content", "file", "edit", "replay", "discard")
    ),
}  # fmt: skip


def addresses() -> Iterator[str]:
    for found in admin.site.get_urls():
        if isinstance(found, URLResolver) and str(found.pattern).startswith("qaprod/"):
            for inner in found.url_patterns:
                assert isinstance(inner, URLPattern)
                yield f"{str(found.pattern).removeprefix('qaprod/')}{inner.pattern}"


def snapshot() -> dict[str, Any]:
    models = apps.get_app_config("qaprod").get_models()
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


@pytest.fixture
def rule(settings: Settings) -> Iterator[None]:
    """A rule that is declared, and a channel that takes what is sent."""
    settings.QAPROD = {
        **getattr(settings, "QAPROD", {}), "CHANNELS": {"mail": {"email": ["on-call@example.org"]}},
    }  # fmt: skip
    with registry.isolated():
        registry.register_rule(rows.rule())
        yield


@pytest.fixture
def ids(key: str, expectation: None, rule: None) -> dict[str, object]:
    failure = rows.failure()
    rows.occurrence(failure)
    deploy = Deploy.objects.create(release="r1", at=clock.now())
    rescued = rows.submission(failure=failure.fingerprint)
    alert = rows.alert()
    rows.judged()
    return {
        "alert": alert.pk,
        "silence": rows.silence(rule="orders fail").pk,
        "notification": rows.notification(alert).pk,
        "breach": rows.breach().pk,
        "failure": failure.pk,
        "event": rows.event().pk,
        "deploy": deploy.pk,
        "rescuedsubmission": rescued.pk,
    }


def client_of(role: str) -> Client:
    client = Client()
    if role == "superuser":
        client.force_login(rows.user(role, is_superuser=True))
    elif role != "anonymous":
        codenames = Permission.objects.filter(
            content_type__app_label="qaprod", codename__startswith=f"{role}_"
        )
        client.force_login(rows.user(role, *codenames.values_list("codename", flat=True)))
    return client


def ask(client: Client, address: str, method: str, ids: dict[str, object]) -> int:
    model = address.split("/")[0]
    for converter in ("<int:object_id>", "<path:object_id>", "<str:object_id>", "<int:pk>"):
        address = address.replace(converter, str(ids.get(model, "")))
    data = POSTED if method == "POST" else {}
    if method == "POST" and address in LIST_ACTIONS:
        data = {
            "action": LIST_ACTIONS[address],
            "_selected_action": str(ids[model]),
            "index": "0",
            "why": "n",
        }
    asked = client.post if method == "POST" else client.get
    query = "?name=orders+fail" if address == "rule/rule/" else ""
    return int(asked(f"/admin/qaprod/{address}{query}", data).status_code)


def test_every_address_has_a_row() -> None:
    assert sorted(set(addresses())) == sorted(MATRIX)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("address", MATRIX)
def test_who_may_look(address: str, role: str, ids: dict[str, object]) -> None:
    client = client_of(role)
    before = snapshot()
    assert ask(client, address, "GET", ids) == MATRIX[address]["GET"][ROLES.index(role)]
    assert snapshot() == before, "GET never changes anything"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("address", MATRIX)
def test_who_may_act(address: str, role: str, ids: dict[str, object]) -> None:
    client = client_of(role)
    before = snapshot()
    assert ask(client, address, "POST", ids) == MATRIX[address]["POST"][ROLES.index(role)]
    may = (role == "superuser" and address in ACTING) or (
        role in {"change", "superuser"} and address == "deploy/<path:object_id>/change/"
    )
    assert (snapshot() != before) == may


@pytest.mark.parametrize(
    ("permission", "do"),
    [
        ("resolve_failure", "resolve"),
        ("resolve_failure", "resolve_in_next"),
        ("silence_failure", "silence"),
        ("silence_failure", "silence_until"),
    ],
)
def test_each_act_asks_for_its_own_permission(permission: str, do: str) -> None:
    failure = rows.failure()
    others = {"resolve_failure", "silence_failure", "export_failure"} - {permission}
    data = {"do": do, "above": "5"}
    for name, given, status in (("without", others, 403), ("with", {permission}, 302)):
        client = Client()
        client.force_login(rows.user(name, "view_failure", *given))
        page = client.get(f"/admin/qaprod/failure/{failure.pk}/change/").content.decode()
        assert (f'value="{do}"' in page) == (status == 302)
        assert client.post(f"/admin/qaprod/failure/{failure.pk}/state/", data).status_code == status
    failure.refresh_from_db()
    assert failure.state != Failure.State.OPEN


# What is done to an alert, by which permission; what it needs besides.
OF_ALERTS = {
    "acknowledge": "acknowledge_alert",
    "useful": "acknowledge_alert",
    "useless": "acknowledge_alert",
    "resolve": "resolve_alert",
    "silence": "add_silence",
}


@pytest.mark.parametrize("do", OF_ALERTS)
def test_each_act_on_an_alert_asks_for_its_own_permission(do: str) -> None:
    """Whoever holds all the others is neither offered it nor let to do it."""
    alert, before = rows.alert(), snapshot()
    others = set(OF_ALERTS.values()) - {OF_ALERTS[do]}
    for name, given, status in (("without", others, 403), ("with", {OF_ALERTS[do]}, 302)):
        client = Client()
        client.force_login(rows.user(name, "view_alert", *given))
        page = client.get(f"/admin/qaprod/alert/{alert.pk}/").content.decode()
        assert (f'value="{do}"' in page) == (status == 302)
        assert client.post(f"/admin/qaprod/alert/{alert.pk}/act/", {"do": do}).status_code == status
        answer = client.post(f"/admin/qaprod/alert/{alert.pk}/act/", {"do": do, "why": "n", "span": "3600"})
        assert answer.status_code == status
        assert (snapshot() != before) == (status == 302)


@pytest.mark.parametrize("action", ["acknowledge", "silence", "resolve"])
def test_an_action_on_alerts_asks_for_its_own_permission(action: str) -> None:
    """From the list as from the page."""
    alert, before = rows.alert(), snapshot()
    data = {"action": action, "_selected_action": str(alert.pk), "index": "0"}
    data |= {"confirmed": "yes", "why": "n", "span": "3600"}
    for name, given in (
        ("without", set(OF_ALERTS.values()) - {OF_ALERTS[action]}), ("with", {OF_ALERTS[action]}),
    ):  # fmt: skip
        client = Client()
        client.force_login(rows.user(name, "view_alert", *given))
        client.post("/admin/qaprod/alert/", data)
        assert (snapshot() != before) == (name == "with")


@pytest.mark.parametrize(
    ("address", "posted"),
    [
        ("alert/{alert}/act/", {"do": "acknowledge"}),
        ("rule/rule/?name=orders+fail", {"rule-severity": "info"}),
        ("silence/add/", {"everything": "on", "span": "3600", "why": "n"}),
        ("silence/{silence}/end/", {}),
        ("channel/test/", {"channel": "mail"}),
    ],
)
def test_every_act_about_alerts_needs_the_token(
    address: str, posted: dict[str, str], boss: Any, ids: dict[str, object]
) -> None:
    """A form of another site changes nothing."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(boss)
    before = snapshot()
    assert client.post(f"/admin/qaprod/{address.format(**ids)}", posted).status_code == 403
    assert snapshot() == before


@pytest.mark.parametrize("action", ["export_csv", "export_json"])
def test_an_export_asks_for_its_own_permission(action: str) -> None:
    failure = rows.failure()
    data = {"action": action, "_selected_action": str(failure.pk), "index": "0"}
    for name, given in (("without", ("resolve_failure", "silence_failure")), ("with", ("export_failure",))):
        client = Client()
        client.force_login(rows.user(name, "view_failure", *given))
        response = client.post("/admin/qaprod/failure/", data)
        assert response.has_header("Content-Disposition") == (name == "with")


def test_a_change_of_state_needs_the_token(boss: Any) -> None:
    failure = rows.failure()
    client = Client(enforce_csrf_checks=True)
    client.force_login(boss)
    answer = client.post(f"/admin/qaprod/failure/{failure.pk}/state/", {"do": "resolve"})
    assert answer.status_code == 403
    failure.refresh_from_db()
    assert failure.state == Failure.State.OPEN


OWN = {
    "content": {"decrypt"},
    "file": {"decrypt"},
    "edit": {"decrypt", "edit"},
    "replay": {"replay"},
    "discard": {"discard"},
    "replay-failure": {"replay"},
}
SINGLE = ("add", "delete", "decrypt", "edit", "replay", "discard")


def holder(*acts: str) -> Client:
    client = Client()
    client.force_login(rows.user("holder", *(f"{act}_rescuedsubmission" for act in acts)))
    return client


def address_of(view: str) -> str:
    return f"rescuedsubmission/{'' if view == 'replay-failure' else '<str:object_id>/'}{view}/"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("view", OWN)
@pytest.mark.parametrize("given", [(), *((one,) for one in SINGLE), ("decrypt", "edit")])
def test_a_submission_asks_for_the_permission_of_each_act(
    given: tuple[str, ...], view: str, method: str, ids: dict[str, object]
) -> None:
    address, allowed = address_of(view), OWN[view] <= set(given)
    client, before = holder("view", *given), snapshot()
    status = MATRIX[address][method][ROLES.index("superuser")] if allowed else 403
    assert ask(client, address, method, ids) == status
    assert (snapshot() != before) == (method == "POST" and allowed)


@pytest.mark.parametrize("view", OWN)
def test_no_act_without_the_permission_to_look(view: str, ids: dict[str, object]) -> None:
    assert ask(holder("add", "delete", *OWN[view]), address_of(view), "POST", ids) == 403


@pytest.mark.parametrize("given", SINGLE)
def test_a_submission_page_offers_what_is_permitted(given: str, ids: dict[str, object]) -> None:
    client = holder("view", given)
    page = client.get(f"/admin/qaprod/rescuedsubmission/{ids['rescuedsubmission']}/change/").content.decode()
    for view, act in (("content", "decrypt"), ("replay", "replay"), ("discard", "discard")):
        assert (f"/{view}/" in page) == (act == given)
    assert "/edit/" not in page, "needs two permissions"
    listed = client.get("/admin/qaprod/rescuedsubmission/").content.decode()
    for action in ("replay", "discard"):
        assert (f'<option value="{action}"' in listed) == (action == given)


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_an_action_on_submissions_asks_for_its_own_permission(action: str, ids: dict[str, object]) -> None:
    data = {"action": action, "_selected_action": str(ids["rescuedsubmission"]), "index": "0", "reason": "x"}
    holder("view", *(set(SINGLE) - {action})).post("/admin/qaprod/rescuedsubmission/", data)
    assert RescuedSubmission.objects.get().state == "waiting"


@pytest.mark.parametrize("view", ["content", "file", "edit", "replay", "discard"])
def test_every_act_on_a_submission_needs_the_token(view: str, boss: Any, ids: dict[str, object]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(boss)
    before = snapshot()
    address = f"/admin/qaprod/rescuedsubmission/{ids['rescuedsubmission']}/{view}/"
    assert client.post(address, POSTED).status_code == 403
    assert snapshot() == before
