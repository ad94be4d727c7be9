"""What the admin's pages are looked at under: a policy that allows nothing inline, and a phone's width."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Route

POLICY = "default-src 'self'; frame-ancestors 'none'"
PHONE = {"width": 375, "height": 700}


def with_policy(route: Route) -> None:
    if route.request.resource_type != "document":
        return route.continue_()
    response = route.fetch(max_redirects=0)
    return route.fulfill(response=response, headers={**response.headers, "content-security-policy": POLICY})
