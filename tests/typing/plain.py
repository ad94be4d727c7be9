"""What type checkers refuse of data that is made at each start; read by mypy, run by nobody."""

from __future__ import annotations

from typing import assert_type

from django_qaprod import conf
from django_qaprod.pipeline import guard, process

assert_type(conf.settings().lines_per_request, int)

conf.Settings(enabled=False, flags=("shop.Flag",))
conf.Settings(enabledd=3)  # type: ignore[call-arg]
conf.Settings(enabled=3)  # type: ignore[arg-type]
conf.settings().enabled = False  # type: ignore[misc]
conf.Problem(key="QAPROD", unknown=True)  # type: ignore[call-arg]
conf.Problem("QAPROD", True, "")  # type: ignore[call-arg]
guard.Tally(errors={}, dropped={}, last_error="")  # type: ignore[call-arg]
process.status().draining = True  # type: ignore[misc]
