from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
_FROM_OUTSIDE = ("QAPROD_TEST_DB", "DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS")


def test_the_site_passes_its_own_tests(tmp_path: Path) -> None:
    """The site works as it should, and under every fault as its chaos page says."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_XDIST", "COV_"))
    }
    for name in _FROM_OUTSIDE:
        environment.pop(name, None)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", str(HERE / "site"), "-q", "-p", "no:cacheprovider"),
            *("--ds", "tests.example.settings"),
        ],
        cwd=HERE.parents[1],
        env={**environment, "EXAMPLE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
