from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from example_project.chaos import faults
from example_project.chaos.switches import Switches
from example_project.jobs import profiles
from example_project.jobs.models import Vacancy
from example_project.jobs.seed import seed
from example_project.profiles.service import ProfileServer


@pytest.fixture(autouse=True)
def switches(tmp_path: Path, settings: Any) -> Switches:
    """All faults off, in a file of this test's own."""
    settings.CHAOS_FILE = tmp_path / "faults.json"
    return faults.switches()


@pytest.fixture(autouse=True)
def profile_service(switches: Switches, settings: Any) -> Iterator[ProfileServer]:
    """The real profile service, in a thread."""
    profiles.breaker.reset()
    server = ProfileServer(port=0, faults=switches.path)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    settings.PROFILE_SERVICE = server.url
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(transactional_db: None) -> None:
    """Schools, vacancies, teachers."""
    seed(vacancies=16)


@pytest.fixture
def visitor(site: None) -> Client:
    """Somebody without an account, who gets error pages as visitors do."""
    return Client(raise_request_exception=False)


@pytest.fixture
def teacher(site: None) -> Client:
    """A teacher who is logged in."""
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username="teacher3"))
    return client


@pytest.fixture
def teaching(site: None) -> Vacancy:
    """A vacancy with the form for teachers."""
    return Vacancy.objects.filter(form_type="teacher")[0]


@pytest.fixture
def support(site: None) -> Vacancy:
    """A vacancy with the form for support staff."""
    return Vacancy.objects.filter(form_type="support")[0]
