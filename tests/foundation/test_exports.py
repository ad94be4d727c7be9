"""The public names are few, lazy, and importable from a host's settings."""

from __future__ import annotations

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


def test_the_exports_do_not_import_models_before_the_registry_is_ready() -> None:
    script = """
import sys
from django.conf import settings
settings.configure()
from django_qaprod import {names}
print(sorted(name for name in sys.modules if name.startswith("django_qaprod.models")))
"""
    assert run(script.format(names=", ".join(django_qaprod.__all__))).strip() == "[]"


def test_every_export_is_there_and_remembered() -> None:
    for name in django_qaprod.__all__:
        assert getattr(django_qaprod, name) is django_qaprod.__dict__[name]
    assert set(django_qaprod.__all__) <= set(dir(django_qaprod))
    assert len(django_qaprod.__all__) <= 15


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"django_qaprod.*Jorney"):
        _ = django_qaprod.Jorney  # type: ignore[attr-defined]
