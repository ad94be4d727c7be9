"""A site that starts a client of Sentry as the documentation has it, or leaves it to us."""

from __future__ import annotations

import os

import sentry_sdk

from django_qaprod.contrib.sentry import scrub_event
from tests.live.settings import *  # noqa: F403
from tests.live.settings import MIDDLEWARE, QAPROD

MIDDLEWARE = [name for name in MIDDLEWARE if "csrf" not in name]
ROOT_URLCONF = "tests.sinks.sentry.site.urls"

if dsn := os.environ.get("SITE_DSN"):
    sentry_sdk.init(
        dsn=dsn,
        release=QAPROD["RELEASE"],
        before_send=scrub_event,
        before_send_transaction=scrub_event,
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=1.0,
    )
