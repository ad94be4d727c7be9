from __future__ import annotations

from tests.recorded import records as records
from tests.recorded import served as served
