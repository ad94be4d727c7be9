from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_qaprod import registry


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    with registry.isolated():
        yield
