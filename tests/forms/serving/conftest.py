from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import Client
from pytest_django.fixtures import Settings

from django_qaprod.pipeline import spool
from tests.forms.serving import host
from tests.recorded import records as records
from tests.recorded import served as served

KEY = Fernet.generate_key().decode()


@pytest.fixture
def in_production(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Serve the host of forms as in production: errors are swallowed, and there is a key."""
    settings.QAPROD = {"RERAISE": False, "RESCUE_KEYS": [KEY], "SPOOL_DIR": tmp_path}
    settings.ROOT_URLCONF = "tests.forms.serving.host"
    templates: list[Any] = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [Path(__file__).parent / "templates"]
    settings.TEMPLATES = templates
    host.faults.clear()
    spool.forget_directory()
    yield
    spool.forget_directory()
    host.faults.clear()


@pytest.fixture
def visitor() -> Client:
    """A visitor, who gets to see what a visitor would: an unhandled error is a page with status 500."""
    return Client(raise_request_exception=False)
