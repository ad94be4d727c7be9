"""Async views: the same ladder, without a transaction of ours."""

from __future__ import annotations

import asyncio

import pytest
from django.db import OperationalError
from django.test import AsyncClient

from django_qaprod.models import RescuedSubmission
from django_qaprod.testing import Records
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [
    pytest.mark.usefixtures("in_production"),
    pytest.mark.django_db(databases="__all__", transaction=True),
]


class ViewError(Exception):
    pass


@pytest.fixture
def avisitor() -> AsyncClient:
    return AsyncClient(raise_request_exception=False)


async def test_nothing_is_changed_when_nothing_fails(avisitor: AsyncClient, records: Records) -> None:
    response = await avisitor.get("/aorder/")
    assert response.status_code == 200
    assert "qaprod" not in response.content.decode()
    assert (await avisitor.post("/aorder/", {"number": "1"})).status_code == 302
    assert await Order.objects.acount() == 1
    assert not records.failures


@pytest.mark.parametrize("view", ["aorder", "async_view"])
async def test_a_get_is_served_the_host_s_template(
    view: str, avisitor: AsyncClient, records: Records
) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    response = await avisitor.get(f"/{view}/")
    assert response.status_code == 200
    assert "Apply as" in response.content.decode()
    assert 'role="status"' in response.content.decode()
    assert [failure.extra for failure in records.failures] == [{"rung": "view", "served": "template"}]


async def test_a_dead_database_is_served_the_plain_page(avisitor: AsyncClient) -> None:
    host.faults["before"] = OperationalError("timed out")
    page = (await avisitor.get("/aorder/")).content.decode()
    assert "qaprod-forms" in page
    assert await Order.objects.acount() == 0, "the database is asked again"


@pytest.mark.parametrize("view", ["aorder", "async_view"])
async def test_a_post_is_kept_in_doubt(view: str, avisitor: AsyncClient) -> None:
    host.faults["after"] = host.faults["before"] = ViewError("somewhere")
    assert (await avisitor.post(f"/{view}/", {"number": "1"})).status_code == 202
    kept = await RescuedSubmission.objects.aget()
    assert (kept.in_doubt, kept.transactional) == ("untransacted", False)


async def test_what_is_invalid_comes_back(avisitor: AsyncClient) -> None:
    host.faults["before"] = ViewError("somewhere")
    response = await avisitor.post("/aorder/", {"number": ""})
    assert response.status_code == 200
    assert "This field is required" in response.content.decode()


async def test_a_late_template_climbs_down_too(avisitor: AsyncClient) -> None:
    host.faults["page"] = ViewError("only the page")
    page = (await avisitor.get("/alate/")).content.decode()
    assert "Apply as" in page
    assert 'role="status"' in page


async def test_a_cancellation_passes() -> None:
    host.faults["before"] = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await AsyncClient().get("/aorder/")


async def test_sync_views_are_served_under_asgi(avisitor: AsyncClient) -> None:
    host.faults["after"] = ViewError("after the write")
    assert (await avisitor.post("/plain/", {"number": "1"})).status_code == 202
    assert await Order.objects.acount() == 0
