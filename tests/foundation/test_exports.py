"""The public names are few, lazy, and importable from a host's settings."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import django_qaprod

ROOT = Path(__file__).parents[2]


def run(script: str) -> str:
    """Return what a script prints in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def test_importing_the_package_imports_no_django() -> None:
    assert run("import sys, django_qaprod; print('django' in sys.modules)").strip() == "False"


def test_what_decorates_views_can_be_imported_before_the_registry_is_ready() -> None:
    script = """
import sys
from django.conf import settings
settings.configure()
from django_qaprod import CircuitBreaker, QAProdError, critical, degrade, report
print(sorted(name for name in sys.modules if name.startswith("django_qaprod.models")))
"""
    assert run(script).strip() == "[]"


def test_a_host_s_models_can_import_every_export_whatever_the_order_of_the_apps(tmp_path: Path) -> None:
    (tmp_path / "an_app").mkdir()
    (tmp_path / "an_app" / "__init__.py").touch()
    (tmp_path / "an_app" / "models.py").write_text(
        f"from django_qaprod import {', '.join(django_qaprod.__all__)}\n"
        "class Application(Journey):\n    submitted = Step()\n"
    )
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["an_app", "django_qaprod"])
django.setup()
from django_qaprod import registry
print([journey.name for journey in registry.journeys()])
"""
    assert run(script).strip() == "['application']"


def test_no_module_has_the_name_of_an_export() -> None:
    # Importing a submodule sets it on its package: it would take the place of the export.
    modules = {module.name for module in pkgutil.iter_modules(django_qaprod.__path__)}
    assert not modules & set(django_qaprod.__all__)


def test_every_export_is_there_and_remembered() -> None:
    for name in django_qaprod.__all__:
        assert getattr(django_qaprod, name) is django_qaprod.__dict__[name]
    assert set(django_qaprod.__all__) <= set(dir(django_qaprod))
    assert len(django_qaprod.__all__) <= 15


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"django_qaprod.*Jorney"):
        _ = django_qaprod.Jorney  # type: ignore[attr-defined]
