"""What is installed is what was written: the wheel, its metadata, a fresh project in a clean environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from importlib import import_module
from pathlib import Path

import pytest

import django_qaprod
from tests.servers import run_server

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "django_qaprod"

RAISING_VIEW = """
from django.contrib import admin
from django.urls import path

def boom(request):
    raise ValueError("boom")

urlpatterns = [path("admin/", admin.site.urls), path("boom/", boom)]
"""

PRINT_FAILURES = """
from django_qaprod.models import Failure
print([str(failure) for failure in Failure.objects.all()])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from what is in the working tree, without leaving anything behind there."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    _copy_source(source)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, source)
    return next(directory.glob("*.whl"))


def test_every_name_of_the_public_face_can_be_imported() -> None:
    for name in django_qaprod.__all__:
        assert getattr(django_qaprod, name)


def test_the_pytest_plugin_is_where_the_entry_point_says() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for target in project["entry-points"]["pytest11"].values():
        import_module(target)


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {path.relative_to(REPOSITORY).as_posix() for path in _package_files()}


@pytest.mark.slow
def test_the_wheel_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = message_from_bytes(
            archive.read(next(name for name in archive.namelist() if name.endswith("METADATA")))
        )
    needed = {line.split(">")[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert metadata["Name"] == "django-qaprod"
    assert metadata["Version"] == django_qaprod.__version__
    assert "QA in production" in str(metadata.get_payload())
    assert needed == {
        *("django", "opentelemetry-sdk", "opentelemetry-instrumentation-django[asgi]", "statsd"),
        *("sentry-sdk", "cryptography"),
    }


@pytest.mark.slow
@pytest.mark.servers
def test_one_line_in_a_fresh_project_shows_its_failures(wheel: Path, tmp_path: Path) -> None:
    """Install the wheel into a clean environment, start a project, add the line, migrate, break a view."""
    environment, project = tmp_path / "environment", tmp_path / "site"
    _run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", wheel, "gunicorn")
    _start_project(python, project)
    _run(python, "manage.py", "migrate", cwd=project)
    _run(python, "manage.py", "check", cwd=project)
    with run_server("gunicorn-sync", project=project, settings="mysite.settings", python=python) as server:
        assert server.get("/boom/").status == 500
    _run(python, "manage.py", "qaprod_tick", cwd=project)
    assert "boom" in _run(python, "manage.py", "shell", "-c", PRINT_FAILURES, cwd=project)


def _start_project(python: Path, project: Path) -> None:
    project.mkdir()
    _run(python, "-m", "django", "startproject", "mysite", project)
    settings = project / "mysite" / "settings.py"
    settings.write_text(
        settings.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "django_qaprod",')
    )
    (project / "mysite" / "urls.py").write_text(RAISING_VIEW)


def _copy_source(to: Path) -> None:
    for path in [*_package_files(), *(REPOSITORY / name for name in _BUILD_FILES)]:
        copy = to / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


_BUILD_FILES = ("pyproject.toml", "setup.cfg", "MANIFEST.in", "LICENSE", "README.md")


def _package_files() -> list[Path]:
    return [path for path in PACKAGE.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    # Neither our settings nor our checkout may leak into the clean environment.
    ours = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd or "/",
        env={key: value for key, value in os.environ.items() if key not in ours},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
