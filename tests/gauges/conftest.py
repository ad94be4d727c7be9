from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_qaprod import registry
from tests.recorded import records as records


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    with registry.isolated():
        registry._gauges.clear()
        yield
